# SPDX-License-Identifier: Apache-2.0
import sys
import grpc
from example.v1 import greeter_pb2, greeter_pb2_grpc

greeter = greeter_pb2_grpc.GreeterStub(grpc.insecure_channel(sys.argv[1]))
name = greeter_pb2.Name(text=sys.argv[2], times=2)
print(greeter.Greet(name, wait_for_ready=True, timeout=10).text)
for greeting in greeter.Repeat(name):
    print(greeting.text)
everyone = greeter.Gather(iter([name] * 3))
print("%s (%d people)" % (everyone.text, everyone.people))
for greeting in greeter.Chat(iter([name] * 2)):
    print(greeting.text)
