/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpp_sync --ready-file FILE: comb.bench.Echo on the synchronous API of gRPC C++, with all settings
 * of a ServerBuilder as they come: one completion queue, one to two pollers that run the handlers
 * and are made as needed.
 */
#include <grpcpp/grpcpp.h>

#include "tests/bench/echo.grpc.pb.h"
#include "tests/bench/ready.h"

namespace
{

class Echo final : public comb::bench::Echo::Service
{
    grpc::Status Say(grpc::ServerContext *, const comb::bench::EchoSayRequest *request,
                     comb::bench::EchoSayResponse *response) override
    {
        if (!request->text().empty())
            response->set_text(request->text());
        if (!request->data().empty())
            response->set_data(request->data());
        return grpc::Status::OK;
    }

    grpc::Status Repeat(grpc::ServerContext *, const comb::bench::EchoRepeatRequest *request,
                        grpc::ServerWriter<comb::bench::EchoSayResponse> *writer) override
    {
        comb::bench::EchoSayResponse response;
        response.set_text(request->text());
        for (uint32_t i = 0; i < request->count(); i++)
            if (!writer->Write(response))
                return grpc::Status::CANCELLED;
        return grpc::Status::OK;
    }

    grpc::Status Collect(grpc::ServerContext *,
                         grpc::ServerReader<comb::bench::EchoSayRequest> *reader,
                         comb::bench::EchoCollectResponse *response) override
    {
        comb::bench::EchoSayRequest request;
        uint32_t count = 0;
        while (reader->Read(&request))
            count++;
        response->set_count(count);
        return grpc::Status::OK;
    }
};

} // namespace

int main(int argc, char **argv)
{
    const char *file = ready_begin(argc, argv);
    Echo echo;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&echo);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || !ready_serve(file, port))
        return 1;
    server->Shutdown();
    return 0;
}
