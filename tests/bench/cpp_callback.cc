/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpp_callback --ready-file FILE: comb.bench.Echo on the callback API of gRPC C++, with all
 * settings of a ServerBuilder as they come; handlers run inline on the library's own pollers.
 */
#include <grpcpp/grpcpp.h>

#include "tests/bench/echo.grpc.pb.h"
#include "tests/bench/ready.h"

namespace
{

class Repeater final : public grpc::ServerWriteReactor<comb::bench::EchoSayResponse>
{
  public:
    explicit Repeater(const comb::bench::EchoRepeatRequest *request) : left_(request->count())
    {
        response_.set_text(request->text());
        Next();
    }
    void OnWriteDone(bool ok) override
    {
        if (ok)
            Next();
        else
            Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override
    {
        delete this;
    }

  private:
    void Next()
    {
        if (left_ == 0) {
            Finish(grpc::Status::OK);
            return;
        }
        left_--;
        StartWrite(&response_);
    }
    uint32_t left_;
    comb::bench::EchoSayResponse response_;
};

class Collector final : public grpc::ServerReadReactor<comb::bench::EchoSayRequest>
{
  public:
    explicit Collector(comb::bench::EchoCollectResponse *response) : response_(response)
    {
        StartRead(&request_);
    }
    void OnReadDone(bool ok) override
    {
        if (ok) {
            count_++;
            StartRead(&request_);
            return;
        }
        response_->set_count(count_);
        Finish(grpc::Status::OK);
    }
    void OnDone() override
    {
        delete this;
    }

  private:
    uint32_t count_ = 0;
    comb::bench::EchoSayRequest request_;
    comb::bench::EchoCollectResponse *response_;
};

class Echo final : public comb::bench::Echo::CallbackService
{
    grpc::ServerUnaryReactor *Say(grpc::CallbackServerContext *context,
                                  const comb::bench::EchoSayRequest *request,
                                  comb::bench::EchoSayResponse *response) override
    {
        if (!request->text().empty())
            response->set_text(request->text());
        if (!request->data().empty())
            response->set_data(request->data());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }

    grpc::ServerWriteReactor<comb::bench::EchoSayResponse> *
    Repeat(grpc::CallbackServerContext *, const comb::bench::EchoRepeatRequest *request) override
    {
        return new Repeater(request);
    }

    grpc::ServerReadReactor<comb::bench::EchoSayRequest> *
    Collect(grpc::CallbackServerContext *, comb::bench::EchoCollectResponse *response) override
    {
        return new Collector(response);
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
