# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over our own sources as Bazel actions, so that only what changed is looked at again.

`bazel build --config=tidy //...` (bazel/test does it) fails with the findings; .clang-tidy says what is looked for.
"""

def _flags(ctx, context):
    flags = ["-std=c11"]
    flags += ["-D" + d for d in context.defines.to_list() + context.local_defines.to_list()]
    for folder in context.includes.to_list() + context.quote_includes.to_list() + context.system_includes.to_list():
        # What is generated or Debian's is not ours to mend.
        flags += ["-isystem" if folder.split("/")[0] in ("bazel-out", "external") else "-I", folder]

    # Warnings are the compilers' business, and some of gcc's are unknown to clang.
    return flags + [o for o in getattr(ctx.rule.attr, "copts", []) if not o.startswith("-W")]

def _tidy_impl(target, ctx):
    if CcInfo not in target or ctx.label.workspace_root or not hasattr(ctx.rule.files, "srcs"):
        return [OutputGroupInfo(tidy = depset())]
    context = target[CcInfo].compilation_context
    stamps = []
    for src in ctx.rule.files.srcs:
        if src.extension != "c" or not src.is_source:
            continue
        stamp = ctx.actions.declare_file("_tidy/%s/%s.ok" % (ctx.label.name, src.short_path))
        ctx.actions.run_shell(
            outputs = [stamp],
            inputs = depset(ctx.rule.files.srcs + [ctx.file._config], transitive = [context.headers]),
            command = """
stamp=$1; shift
if clang-tidy-14 "$@" >"$stamp.log" 2>&1; then rm "$stamp.log"; : >"$stamp"; else cat "$stamp.log"; exit 1; fi
""",
            arguments = [stamp.path, "--quiet", "--config-file=" + ctx.file._config.path, src.path, "--"] +
                        _flags(ctx, context),
            mnemonic = "ClangTidy",
            progress_message = "clang-tidy " + src.short_path,
            use_default_shell_env = True,
        )
        stamps.append(stamp)
    return [OutputGroupInfo(tidy = depset(stamps))]

tidy = aspect(
    implementation = _tidy_impl,
    attrs = {"_config": attr.label(default = "//:.clang-tidy", allow_single_file = True)},
)
