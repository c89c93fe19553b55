# SPDX-License-Identifier: Apache-2.0
"""Debian's -dev packages as Bazel repositories, one per library, found with pkg-config.

`@sqlite3//:sqlite3` is a cc_library: -I directories of pkg-config become symlinks under include/ (ordinary,
relative, sandboxable inputs), -D become defines, the rest of --libs becomes link options.  Headers right under
/usr/include need nothing: that is a built-in include directory of the auto-configured C toolchain.

A package that is missing fails only the targets that use it, with the apt line that mends it.  The lists of
packages that `bazel/run` and `bazel/test` install are bazel/apt-run.txt and bazel/apt-test.txt.
"""

# target -> (pkg-config module, Debian package, link options instead of pkg-config's).
# An empty module name: the library has no .pc file and its headers lie in /usr/include.
LIBRARIES = {
    "argon2": ("libargon2", "libargon2-dev", ["-largon2"]),
    "bson": ("libbson-1.0", "libbson-dev", []),
    "cmocka": ("cmocka", "libcmocka-dev", []),
    "crypto": ("libcrypto", "libssl-dev", []),
    "curl": ("libcurl", "libcurl4-openssl-dev", []),
    "expat": ("expat", "libexpat1-dev", []),
    "gmime": ("gmime-3.0", "libgmime-3.0-dev", ["-lgmime-3.0", "-lgobject-2.0", "-lglib-2.0"]),
    "grpc": ("grpc", "libgrpc-dev", ["-lgrpc", "-lgpr"]),  # grpc.pc lists seventy abseil libraries
    "grpcxx": ("grpc++", "libgrpc++-dev", ["-lgrpc++", "-lgrpc", "-lgpr", "-labsl_synchronization", "-lprotobuf"]),
    "hiredis": ("hiredis", "libhiredis-dev", []),
    "jansson": ("jansson", "libjansson-dev", []),
    "microhttpd": ("libmicrohttpd", "libmicrohttpd-dev", []),
    "mongoc": ("libmongoc-1.0", "libmongoc-dev", ["-lmongoc-1.0"]),
    "nats": ("libnats", "libnats-dev", []),
    "poppler_cpp": ("poppler-cpp", "libpoppler-cpp-dev", []),
    "pq": ("libpq", "libpq-dev", []),
    "protobuf_c": ("libprotobuf-c", "libprotobuf-c-dev", []),
    "seccomp": ("libseccomp", "libseccomp-dev", []),
    "ssl": ("libssl", "libssl-dev", []),
    "sqlite3": ("sqlite3", "libsqlite3-dev", []),
    "xml2": ("libxml-2.0", "libxml2-dev", []),
    "zip": ("libzip", "libzip-dev", []),
    "utf8proc": ("libutf8proc", "libutf8proc-dev", []),
    "zlib": ("zlib", "zlib1g-dev", []),
}

# Libraries that only some stores need, and the Debian package of their shared object. `@pq//:late` has each of its
# functions as a jump to where server/core/library.h finds it when the first store that needs it is opened. A program
# that links it, and with LINK_LATE what is needed only, starts without the library. Any other has it from the start.
LATE_LIBRARIES = {
    "bson": "libbson-1.0-0",
    "curl": "libcurl4",
    "expat": "libexpat1",
    "hiredis": "libhiredis0.14",
    "microhttpd": "libmicrohttpd12",
    "mongoc": "libmongoc-1.0-0",
    "nats": "libnats3.4",
    "pq": "libpq5",
}
LINK_LATE = ["-Wl,--as-needed"]

# Programs: repository -> (program, Debian package).
PROGRAMS = {
    "protoc": ("protoc", "protobuf-compiler"),
    "protoc_gen_c": ("protoc-gen-c", "protobuf-c-compiler"),
    "protoc_gen_grpc_cpp": ("grpc_cpp_plugin", "protobuf-compiler-grpc"),
}

# System .proto files as proto_library targets of @protobuf: file -> (targets that it imports, Debian package).
PROTOS = {
    "google/protobuf/any.proto": ([], "libprotobuf-dev"),
    "google/protobuf/descriptor.proto": ([], "libprotobuf-dev"),
    "google/protobuf/duration.proto": ([], "libprotobuf-dev"),
    "google/protobuf/empty.proto": ([], "libprotobuf-dev"),
    "google/protobuf/field_mask.proto": ([], "libprotobuf-dev"),
    "google/protobuf/struct.proto": ([], "libprotobuf-dev"),
    "google/protobuf/timestamp.proto": ([], "libprotobuf-dev"),
    "google/protobuf/wrappers.proto": ([], "libprotobuf-dev"),
    "google/protobuf/compiler/plugin.proto": (["descriptor"], "libprotoc-dev"),
}

_BUILTIN = ["/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu", "/usr/local/include"]

def _missing(rctx, package):
    """Fails with the line that mends it, and the command whose list the package is in."""
    for_tests = package in rctx.read(Label("//bazel:apt-test.txt")).split("\n")
    fail("\n\nThe Debian package %s is missing. As root, run:\n  apt-get install -y --no-install-recommends %s\nor %s, which installs all that is missing.\n" % (
        package,
        package,
        "bazel/test" if for_tests else "bazel/run",
    ))

def _quoted(items):
    return "[" + ", ".join(['"%s"' % i for i in items]) + "]"

# Of `comb_library_NAME`, struct comb_library. What a packager's tools read of it is in .note.dlopen.
_LATE_SOURCE = """
    .section .data.rel.local, "aw"
    .p2align 3
    .globl comb_library_{name}
    .type comb_library_{name}, @object
comb_library_{name}:
    .quad .Lsoname, .Lpackage, .Lnames, .Laddresses
    .size comb_library_{name}, . - comb_library_{name}

    .section .rodata
.Lsoname: .asciz "{soname}"
.Lpackage: .asciz "{package}"
.Lnames:
{names}
    .byte 0

    .section .note.dlopen, "a", @note
    .p2align 2
    .long 4, .Lnote_end - .Lnote, 0x407c0c0a
    .asciz "FDO"
.Lnote: .asciz "[{{\\"soname\\":[\\"{soname}\\"],\\"priority\\":\\"suggested\\"}}]"
.Lnote_end:
    .p2align 2

    .section .note.GNU-stack, "", @progbits

    .bss
    .p2align 3
.Laddresses: .skip 8 * {count}

/* Elsewhere no function is defined here, and so the program has the library at its start. */
#if defined(__x86_64__)
    .macro late name, at
    .globl \\name
    .hidden \\name
    .type \\name, @function
\\name: jmp *(.Laddresses + \\at)(%rip)
    .endm
#elif defined(__aarch64__)
    .macro late name, at
    .globl \\name
    .hidden \\name
    .type \\name, @function
\\name: adrp x16, .Laddresses + \\at
    ldr x16, [x16, :lo12:.Laddresses + \\at]
    br x16
    .endm
#else
    .macro late name, at
    .endm
#endif
    .text
{functions}
"""

def _late_source(rctx, library):
    """Assembly that stands for all functions of the shared object behind -l`library`."""
    path = rctx.execute(["cc", "-print-file-name=lib%s.so" % library]).stdout.strip()
    header = rctx.execute(["objdump", "-p", path])
    symbols = rctx.execute(["nm", "-D", "--defined-only", "--format=posix", path])
    if header.return_code != 0 or symbols.return_code != 0:
        fail("\n\nWhat lib%s.so exports cannot be read: %s%s" % (library, header.stderr, symbols.stderr))
    soname = [l.split("SONAME")[1].strip() for l in header.stdout.split("\n") if "SONAME" in l][0]
    names = [l.split(" ")[0].split("@")[0] for l in symbols.stdout.split("\n") if " T " in l]
    # libbson and libmongoc both have a copy of what they share, which nobody else calls.
    names = [n for n in names if not n.startswith("_") and not n.startswith("MCOMMON_")]
    return _LATE_SOURCE.format(
        name = rctx.attr.name,
        soname = soname,
        package = rctx.attr.late,
        count = len(names),
        names = "\n".join(["    .asciz \"%s\"" % n for n in names]),
        functions = "\n".join(["    late %s, %d" % (n, 8 * i) for i, n in enumerate(names)]),
    )

def _library_impl(rctx):
    name = rctx.attr.name
    cflags = rctx.execute(["pkg-config", "--cflags", rctx.attr.module])
    libs = rctx.execute(["pkg-config", "--libs", rctx.attr.module])
    if cflags.return_code != 0:
        _missing(rctx, rctx.attr.package)
    includes, defines = [], []
    for flag in cflags.stdout.strip().split(" "):
        if flag.startswith("-I") and flag[2:] not in _BUILTIN:
            directory = "include/" + flag[2:].strip("/").replace("/", "_")
            if directory not in includes:
                rctx.symlink(flag[2:], directory)
                includes.append(directory)
        elif flag.startswith("-D") and flag[2:] not in defines and flag != "-DNOMINMAX":
            defines.append(flag[2:])
    links = rctx.attr.links or [l for l in libs.stdout.strip().split(" ") if l]
    late = []
    if rctx.attr.late:
        rctx.file("late.S", _late_source(rctx, links[0][len("-l"):]), executable = False)
        late = ['cc_library(name = "late", srcs = ["late.S"])']
    rctx.file("BUILD.bazel", "\n".join([
        'package(default_visibility = ["//visibility:public"])',
        "cc_library(",
        '    name = "%s",' % name,
        "    hdrs = glob(%s, allow_empty = True)," % _quoted([d + "/**/*.h" for d in includes]),
        "    includes = %s," % _quoted(includes),
        "    defines = %s," % _quoted(defines),
        "    linkopts = %s," % _quoted(links),
        ")",
    ] + late + [
        "",
    ]), executable = False)

_library = repository_rule(
    implementation = _library_impl,
    attrs = {"late": attr.string(), "links": attr.string_list(), "module": attr.string(mandatory = True), "package": attr.string(mandatory = True)},
    configure = True,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
)

def _program_impl(rctx):
    path = rctx.which(rctx.attr.program)
    if not path:
        _missing(rctx, rctx.attr.package)
    rctx.symlink(path, "bin/" + rctx.attr.program)
    rctx.file("BUILD.bazel", 'filegroup(name = "%s", srcs = ["bin/%s"], visibility = ["//visibility:public"])\n' % (
        rctx.attr.name,
        rctx.attr.program,
    ), executable = False)

_program = repository_rule(
    implementation = _program_impl,
    attrs = {"package": attr.string(mandatory = True), "program": attr.string(mandatory = True)},
    configure = True,
    environ = ["PATH"],
    local = True,
)

def _protos_impl(rctx):
    out = ['package(default_visibility = ["//visibility:public"])']
    for proto, imports in rctx.attr.imports.items():
        if not rctx.path("/usr/include/" + proto).exists:
            _missing(rctx, rctx.attr.packages[proto])
        rctx.symlink("/usr/include/" + proto, proto)
        out.append('proto_library(name = "%s_proto", srcs = ["%s"], deps = %s, strip_import_prefix = "/")' % (
            proto.split("/")[-1][:-len(".proto")],
            proto,
            _quoted([":" + i + "_proto" for i in imports]),
        ))
    rctx.file("BUILD.bazel", "\n".join(out) + "\n", executable = False)

_protos = repository_rule(
    implementation = _protos_impl,
    attrs = {"imports": attr.string_list_dict(), "packages": attr.string_dict()},
    configure = True,
    local = True,
)

def system_repositories():
    for name, (module, package, links) in LIBRARIES.items():
        _library(name = name, module = module, package = package, links = links, late = LATE_LIBRARIES.get(name, ""))
    for name, (program, package) in PROGRAMS.items():
        _program(name = name, program = program, package = package)
    _protos(
        name = "protobuf",
        imports = {p: spec[0] for p, spec in PROTOS.items()},
        packages = {p: spec[1] for p, spec in PROTOS.items()},
    )
