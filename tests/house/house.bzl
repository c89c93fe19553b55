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
