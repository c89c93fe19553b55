# SPDX-License-Identifier: Apache-2.0
"""beside_grpcio.py LIBCOMB SERVER comb-first|grpcio-first: libcomb and grpcio in one process, each with a gRPC core of its
own, call the same server at once from several threads, again and again."""

import ctypes
import os
import sys
import threading

LIBRARY, SERVER, ORDER = sys.argv[1:]
ROUNDS, THREADS = 5, 4
MESSAGE_OFFSET = 24  # of struct grpcc_error, as tests/abi/layout.py prints it

Chunk = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("pushback_ms", ctypes.c_int64), ("details", ctypes.c_void_p),
                ("message", ctypes.c_char * 1025)]


assert Error.message.offset == MESSAGE_OFFSET


def load_comb():
    # RTLD_LOCAL, as everything that Python loads: its core must not be mixed with grpcio's.
    comb = ctypes.CDLL(LIBRARY, mode=os.RTLD_LOCAL | os.RTLD_NOW)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    comb.grpcc_arena_new.restype = pointer
    comb.grpcc_arena_new.argtypes = [ctypes.c_size_t]
    comb.grpcc_arena_free.argtypes = [pointer]
    comb.comb_client_open.argtypes = [text, pointer, ctypes.POINTER(pointer), ctypes.POINTER(Error)]
    comb.comb_client_login.argtypes = [pointer, text, text, text, ctypes.POINTER(Error)]
    comb.comb_client_close.argtypes = [pointer]
    comb.comb_put_bytes.argtypes = [pointer, pointer, text, text, ctypes.c_size_t, pointer, ctypes.POINTER(pointer),
                                    ctypes.POINTER(Error)]
    comb.comb_get_stream.argtypes = [pointer, pointer, text, ctypes.c_uint64, ctypes.c_uint64, Chunk, pointer, pointer,
                                     ctypes.POINTER(Error)]
    return comb


def load_grpcio():
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    return grpc, health_pb2, health_pb2_grpc


if ORDER == "comb-first":
    comb = load_comb()
    grpc, health_pb2, health_pb2_grpc = load_grpcio()
else:
    grpc, health_pb2, health_pb2_grpc = load_grpcio()
    comb = load_comb()


def must(status, error):
    if status:
        raise RuntimeError("status %d: %s" % (status, error.message.decode()))


def use_comb(client, path, content):
    error, node = Error(), ctypes.c_void_p()
    arena = comb.grpcc_arena_new(0)
    must(comb.comb_put_bytes(client, arena, path, content, len(content), None, ctypes.byref(node), ctypes.byref(error)),
         error)
    got = []

    def chunk(_data, data, size):
        got.append(ctypes.string_at(data, size))
        return True

    must(comb.comb_get_stream(client, arena, path, 0, 2**64 - 1, Chunk(chunk), None, None, ctypes.byref(error)), error)
    comb.grpcc_arena_free(arena)
    assert b"".join(got) == content


def use_grpcio():
    with grpc.insecure_channel(SERVER) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def main():
    for turn in range(ROUNDS):
        error, client, failed = Error(), ctypes.c_void_p(), []
        must(comb.comb_client_open(SERVER.encode(), None, ctypes.byref(client), ctypes.byref(error)), error)
        must(comb.comb_client_login(client, b"admin", os.environ["COMB_PASSWORD"].encode(), b"python",
                                    ctypes.byref(error)), error)

        def run(number):
            try:
                path = b"/personal/%s-%d-%d" % (ORDER.encode(), turn, number)
                use_comb(client, path, os.urandom(100000 + number))
                use_grpcio()
                use_comb(client, path + b"-again", b"small")
            except Exception as fault:  # told to the main thread, which fails
                failed.append(fault)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        comb.comb_client_close(client)
        if failed:
            raise failed[0]
    print("%s: %d rounds of %d threads, comb and grpcio %s" % (ORDER, ROUNDS, THREADS, grpc.__version__))


main()
