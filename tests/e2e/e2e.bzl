# SPDX-License-Identifier: Apache-2.0
"""A test of the end-to-end suite, on all-embedded and on all-clustered stores."""

# Forms of a test that ask for a build of their own run on embedded stores only.
_EMBEDDED_ONLY = ["smoke", "tsan"]

def e2e_test(rule, name, tags = [], data = [], **kwargs):
    """NAME_test, and NAME_clustered_test with COMB_TEST_STORES=clustered in its environment.

    Args:
      rule: c_test or sh_test.
      name: ends with _test.
      tags: of the first; the second one has those that make no other build.
      data: //server:combd among it.
      **kwargs: as of rule.
    """
    rule(name = name, tags = tags, data = data, **kwargs)
    rule(
        name = name[:-len("_test")] + "_clustered_test",
        tags = [tag for tag in tags if tag not in _EMBEDDED_ONLY],
        data = data + ["//bazel:stores_run"],
        env = {"COMB_TEST_STORES": "clustered"},
        **kwargs
    )
