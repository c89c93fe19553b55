# SPDX-License-Identifier: Apache-2.0
"""Tests over the source tree."""

def house_test(name, args = [], data = [], size = "small"):
    """`NAME_test`: the check NAME of run.py over every file of the tree.

    Args:
      name: a key of CHECKS in run.py.
      args: what the check takes besides the tree.
      data: files that args name.
      size: as of any test.
    """
    native.sh_test(
        name = name + "_test",
        size = size,
        srcs = ["run.py"],
        args = [name, "external/source_tree/tree"] + args,
        data = native.glob(["*.py"], exclude = ["run.py", "*_test.py"]) + ["@source_tree//:sources"] + data,
        tags = ["block-network"],
    )

def _include_folders_impl(ctx):
    headers, folders = [], []
    for dep in ctx.attr.deps:
        context = dep[CcInfo].compilation_context
        headers.append(context.headers)
        folders += context.includes.to_list() + context.quote_includes.to_list() + context.system_includes.to_list()

    # As the paths are in runfiles, where generated files lie beside sources.
    generated = ctx.bin_dir.path + "/"
    paths = {(f[len(generated):] if f.startswith(generated) else f): None for f in folders if f + "/" != generated}
    listing = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(listing, "\n".join(sorted(paths)) + "\n")
    return [DefaultInfo(
        files = depset([listing]),
        runfiles = ctx.runfiles(files = [listing], transitive_files = depset(transitive = headers)),
    )]

include_folders = rule(
    implementation = _include_folders_impl,
    doc = "A list of the include folders of libraries; their headers come along as runfiles.",
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
)
