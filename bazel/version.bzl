# SPDX-License-Identifier: Apache-2.0
"""The version of this source tree: of the server, the SDK, the runtime and what they install."""

VERSION = "0.4.0"

# For local_defines of what says it.
VERSION_DEFINE = 'COMB_VERSION=\\"%s\\"' % VERSION
