# SPDX-License-Identifier: Apache-2.0
"""A test that talks to a real etcd, on Debian's (3.4) and on the newest one."""

load("//bazel:cc.bzl", "c_test")

def etcd_test(name, **kwargs):
    """NAME_test, and NAME_3_6_test on etcd 3.6.

    Args:
      name: ends with _test.
      **kwargs: as of c_test.
    """
    c_test(name = name, **kwargs)
    etcd_3_6_test(name[:-len("_test")] + "_3_6_test", **kwargs)

def etcd_3_6_test(name, **kwargs):
    """On etcd 3.6 alone.

    Args:
      name: ends with _3_6_test.
      **kwargs: as of c_test.
    """
    c_test(
        name = name,
        data = ["@peers//:etcd_3_6"],
        env = {"COMB_TEST_ETCD": "$(rootpath @peers//:etcd_3_6)"},
        **kwargs
    )
