# SPDX-License-Identifier: Apache-2.0
"""A configuration of Envoy for Comb's API, made from the .proto files.  Prints JSON, which Envoy takes as it is.

usage: envoy.py --descriptors FILE.pb --listen HOST:PORT --admin HOST:PORT (--endpoints FILE | --dns HOST:PORT)
                [--cors-origin ORIGIN]...

FILE.pb (`bazel build //api:descriptors`) is read by Envoy too, for the REST paths.  Replicas are those of the file of
--endpoints, which Envoy reads again whenever another one is moved onto it (--print-endpoints makes one), or all that a name
of the DNS has.
README.md says what the configuration promises.  Needs Python's protobuf.
"""

import argparse
import json
import os
import re
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TYPE = "type.googleapis.com/envoy."
OPTIONS = "comb.v1.rpc"
HTTP = "google.api.http"

# Served on the admin address of each replica only: about one replica, so nothing for a balancer.
PRIVATE = {"comb.v1.Admin"}

# As combd's (docs/limits.md, server/core/limits.h): the proxy refuses what the replica would, before it costs the replica.
REQUEST_BYTES_MAX = 4 * 1024 * 1024
HEADERS_KIB_MAX = 16
STREAMS_MAX = 1000
CONNECTIONS_MAX = 16384
# A message in JSON: content in base64 is a third longer.
JSON_BYTES_MAX = 8 * 1024 * 1024
# A request longer than this is not kept, and so not sent a second time.
REPLAY_BYTES_MAX = 2 * 1024 * 1024
# The replica answers DEADLINE_EXCEEDED itself; the proxy only ends what does not answer at all.
TIMEOUT_SLACK_MS = 2000

RETRIES_MAX = 3
# A replica that is frozen says nothing. What may be sent again is sent to another one after this time, where the method is
# not one that may take long.
SILENCE_MS = 5000
SHORT_MS_MAX = 30000
# The call has not reached a handler: true of every method.
RETRY_UNSENT = "connect-failure,refused-stream"
# It may have been executed, which is no harm where a repetition gives the same answer.
RETRY_SENT = RETRY_UNSENT + ",reset,unavailable"
REQUEST_ID_HEADER = "comb-request-id"

# What a page of another origin may send and see.
CORS_REQUEST = ["authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", REQUEST_ID_HEADER, "comb-token",
                "comb-consistency", "traceparent"]
CORS_RESPONSE = ["grpc-status", "grpc-message", "grpc-status-details-bin", "comb-token"]


class Method:
    """What the annotations of a method say."""

    def __init__(self, service, proto, rule, http):
        self.name = "%s/%s" % (service, proto.name)
        self.path = "/" + self.name
        self.streams_in, self.streams_out = proto.client_streaming, proto.server_streaming
        self.repetition = rule.DESCRIPTOR.fields_by_name["repetition"].enum_type.values_by_number[rule.repetition].name
        self.request_bytes_max = rule.request_bytes_max or REQUEST_BYTES_MAX
        self.timeout_max_ms = rule.timeout_max_ms
        self.http = http


def read_descriptors(path):
    with open(path, "rb") as file:
        return descriptor_pb2.FileDescriptorSet.FromString(file.read())


def read_methods(descriptors):
    """The methods of comb.v1, with their options, which only a pool that knows these files can read."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([file.name for file in descriptors.file], pool)
    options = classes["google.protobuf.MethodOptions"]
    rule, http = (pool.FindExtensionByName(name) for name in (OPTIONS, HTTP))
    methods = []
    for file in descriptors.file:
        for service in file.service if file.package == "comb.v1" else ():
            name = "%s.%s" % (file.package, service.name)
            for proto in service.method if name not in PRIVATE else ():
                known = options.FromString(proto.options.SerializeToString())
                if not known.HasExtension(rule):
                    sys.exit("%s: %s/%s has no option %s" % (file.name, name, proto.name, OPTIONS))
                methods.append(Method(name, proto, known.Extensions[rule],
                                      known.Extensions[http] if known.HasExtension(http) else None))
    return methods


def typed(name, **fields):
    return dict({"@type": TYPE + name}, **fields)


def seconds(milliseconds):
    return "%.3fs" % (milliseconds / 1000)


def address(text):
    """HOST:PORT, the host of IPv6 in brackets."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+)):(\d+)", text)
    if not found or not 0 < int(found.group(3)) < 65536:
        sys.exit("%s is not HOST:PORT" % text)
    return {"socket_address": {"address": found.group(1) or found.group(2), "port_value": int(found.group(3))}}


# ---- routes ----

def retry_policy(retry_on):
    return {
        "retry_on": retry_on,
        "num_retries": RETRIES_MAX,
        "host_selection_retry_max_attempts": 5,
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
        }],
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.200s"},
    }


def route(method, retry_on, headers=None):
    action = {"cluster": "comb", "retry_policy": retry_policy(retry_on)}
    if retry_on == RETRY_SENT and 0 < method.timeout_max_ms <= SHORT_MS_MAX:
        action["retry_policy"]["per_try_idle_timeout"] = seconds(SILENCE_MS)
    limits = {}
    if method.timeout_max_ms:
        action["timeout"] = seconds(method.timeout_max_ms + TIMEOUT_SLACK_MS)
    else:
        # Streams end when a side ends them; one that is watched may say nothing for hours.
        action["timeout"] = "0s"
        action["idle_timeout"] = "0s" if method.streams_out else "300s"
    if method.streams_in:
        limits = {"disabled": True}
    else:
        # The five bytes before a message are gRPC's.
        limits = {"buffer": {"max_request_bytes": method.request_bytes_max + 5}}
    match = {"path": method.path}
    if headers:
        match["headers"] = headers
    return {
        "match": match,
        "route": action,
        "typed_per_filter_config": {"envoy.filters.http.buffer": typed("extensions.filters.http.buffer.v3.BufferPerRoute", **limits)},
    }


def routes(method):
    """The routes of a method: what may be sent again after it may have been executed is a read, or has a request id."""
    if method.repetition == "REPETITION_READ":
        return [route(method, RETRY_SENT)]
    if method.repetition == "REPETITION_REQUEST_ID":
        with_id = [{"name": REQUEST_ID_HEADER, "string_match": {"safe_regex": {"regex": "[0-9a-fA-F-]+"}}}]
        return [route(method, RETRY_SENT, with_id), route(method, RETRY_UNSENT)]
    return [route(method, RETRY_UNSENT)]


def health_route():
    """One replica's word for all of them: what is in front of the proxy asks the proxy."""
    return {"match": {"path": "/grpc.health.v1.Health/Check"},
            "route": {"cluster": "comb", "timeout": "5s", "retry_policy": retry_policy(RETRY_SENT)}}


# ---- what stands around them ----

def http_filters(arguments, methods):
    services = sorted({method.name.split("/")[0] for method in methods if method.http})
    cors = [{"name": "envoy.filters.http.cors", "typed_config": typed("extensions.filters.http.cors.v3.Cors")}]
    return (cors if arguments.cors_origin else []) + [
        {"name": "envoy.filters.http.grpc_web", "typed_config": typed("extensions.filters.http.grpc_web.v3.GrpcWeb")},
        {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": typed(
            "extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            proto_descriptor=os.path.abspath(arguments.descriptors),
            services=services,
            convert_grpc_status=True,
            auto_mapping=False,
            max_request_body_size=JSON_BYTES_MAX,
            max_response_body_size=JSON_BYTES_MAX,
            request_validation_options={"reject_unknown_method": True, "reject_unknown_query_parameters": True})},
        {"name": "envoy.filters.http.buffer", "typed_config": typed(
            "extensions.filters.http.buffer.v3.Buffer", max_request_bytes=REQUEST_BYTES_MAX + 5)},
        {"name": "envoy.filters.http.router", "typed_config": typed("extensions.filters.http.router.v3.Router")},
    ]


def virtual_host(arguments, methods):
    host = {
        "name": "comb",
        "domains": ["*"],
        "routes": [one for method in methods for one in routes(method)] + [health_route()],
        "request_body_buffer_limit": REPLAY_BYTES_MAX,
        # A replica keeps what it refuses of a call that was sent before.
        "include_request_attempt_count": True,
    }
    if arguments.cors_origin:
        host["typed_per_filter_config"] = {"envoy.filters.http.cors": typed(
            "extensions.filters.http.cors.v3.CorsPolicy",
            allow_origin_string_match=[{"exact": origin} for origin in arguments.cors_origin],
            allow_methods="GET, POST, PATCH, DELETE",
            allow_headers=", ".join(CORS_REQUEST),
            expose_headers=", ".join(CORS_RESPONSE),
            max_age="600")}
    return host


def connection_manager(arguments, methods):
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="comb",
        codec_type="AUTO",
        use_remote_address=True,
        normalize_path=True,
        forward_client_cert_details="SANITIZE",
        max_request_headers_kb=HEADERS_KIB_MAX,
        # For a call's headers; whole calls have the times of their routes.
        request_headers_timeout="10s",
        stream_idle_timeout="300s",
        drain_timeout="2s",
        common_http_protocol_options={"idle_timeout": "900s", "headers_with_underscores_action": "REJECT_REQUEST"},
        http2_protocol_options={
            "max_concurrent_streams": STREAMS_MAX,
            "connection_keepalive": {"interval": "30s", "timeout": "10s"},
        },
        route_config={"name": "comb", "virtual_hosts": [virtual_host(arguments, methods)], "validate_clusters": True},
        http_filters=http_filters(arguments, methods))


def endpoints(replicas):
    return {"cluster_name": "comb", "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": address(replica)}} for replica in replicas]}]}


def discovery(arguments):
    if arguments.endpoints:
        path = os.path.abspath(arguments.endpoints)
        return {"type": "EDS", "eds_cluster_config": {"service_name": "comb", "eds_config": {
            "path_config_source": {"path": path}, "resource_api_version": "V3"}}}
    return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED", "load_assignment": endpoints([arguments.dns])}


def cluster(arguments):
    return dict(discovery(arguments), **{
        "name": "comb",
        "connect_timeout": "0.5s",
        "lb_policy": "LEAST_REQUEST",
        # None is asked that says that it does not serve, and a change holds at once.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "ignore_health_on_host_removal": True,
        # Whatever else waits for a frozen replica ends with its connection. Replicas bear a ping every ten seconds.
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {
                "max_concurrent_streams": STREAMS_MAX,
                "connection_keepalive": {"interval": "11s", "timeout": "2s", "connection_idle_interval": "11s"}}})},
        "health_checks": [{
            "timeout": "1s", "interval": "0.5s", "no_traffic_interval": "0.5s", "unhealthy_threshold": 2, "healthy_threshold": 1,
            "grpc_health_check": {"service_name": ""},
        }],
        # A replica that cannot reach a store says so by its health. What is left is one that answers health and nothing else.
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 3,
            "consecutive_gateway_failure": 10, "enforcing_consecutive_gateway_failure": 0,
            "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0, "enforcing_local_origin_success_rate": 0,
            "interval": "1s", "base_ejection_time": "2s", "max_ejection_time": "30s", "max_ejection_percent": 50,
        },
        "circuit_breakers": {"thresholds": [{
            "max_connections": 1024, "max_pending_requests": 1024, "max_requests": 16384,
            "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 16},
        }]},
    })


def configuration(arguments, methods):
    listener = {
        "name": "comb",
        "address": address(arguments.listen),
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": connection_manager(arguments, methods),
        }]}],
    }
    connections = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=CONNECTIONS_MAX)}
    return {
        "node": {"id": "comb", "cluster": "comb"},
        "admin": {"address": address(arguments.admin)},
        "overload_manager": {"resource_monitors": [connections]},
        "static_resources": {"listeners": [listener], "clusters": [cluster(arguments)]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print-endpoints", nargs="*", metavar="HOST:PORT", help="print the FILE of --endpoints for these replicas")
    parser.add_argument("--descriptors", metavar="FILE.pb")
    parser.add_argument("--listen", metavar="HOST:PORT")
    parser.add_argument("--admin", metavar="HOST:PORT", default="127.0.0.1:9901")
    parser.add_argument("--endpoints", metavar="FILE")
    parser.add_argument("--dns", metavar="HOST:PORT")
    parser.add_argument("--cors-origin", metavar="ORIGIN", action="append", default=[], help="let pages of this origin call, by gRPC-Web or REST")
    arguments = parser.parse_args()
    if arguments.print_endpoints is not None:
        resource = typed("config.endpoint.v3.ClusterLoadAssignment", **endpoints(arguments.print_endpoints))
        print(json.dumps({"version_info": "0", "resources": [resource]}, indent=1))
        return
    if not arguments.descriptors or not arguments.listen or bool(arguments.endpoints) == bool(arguments.dns):
        parser.error("--descriptors, --listen, and one of --endpoints and --dns")
    methods = read_methods(read_descriptors(arguments.descriptors))
    print(json.dumps(configuration(arguments, methods), indent=1))


if __name__ == "__main__":
    main()
