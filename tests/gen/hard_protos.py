#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hard_protos.py FOLDER: writes .proto files that are hard on a generator of C and too large or too dull to keep: depth,
numbers, words of C and C++ everywhere, odd comments and paths."""

import os
import sys

# Words of C and C++, macros, and names that generated code itself uses.
WORDS = """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double
dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof
static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while xor xor_eq restrict _Generic _Atomic _Noreturn typeof unix linux i386
errno stdin stdout stderr assert NULL EOF base descriptor size data arena message call self err length element array entry
status request response channel options i capacity copy full INT_MAX UINT_MAX INT32_MAX SIZE_MAX INFINITY NAN offsetof
__LINE__ _LP64 isnan stat complex imaginary main printf level free malloc abort type hash count id grown_ unpack pack dup
file service methods server""".split()
METHODS = sorted({"".join(part.capitalize() for part in word.split("_")) for word in WORDS if word[0].isalpha()} |
                 {"New", "Start", "Read", "Write", "Send", "Finish", "Cancel", "Register", "Open", "Stream", "CloseSend"})


def numbered(line, items):
    return "".join("  " + line(i, item) + "\n" for i, item in enumerate(items))


def nested(level, depth):
    inner = nested(level + 1, depth) + "L%d next = 2;" % (level + 1) if level < depth else ""
    return "message L%d { int32 v = 1; L0 top = 3; %s }\n" % (level, inner)


def fields(package, kinds, label=""):
    return 'syntax = "proto3"; package %s;\nmessage Other {}\nmessage Many {\n%s}\n' % (package, numbered(
        lambda i, word: "%s%s %s = %d;" % (label, kinds[i % len(kinds)], word, i + 1), WORDS))


def methods(i):
    return "(%sA) returns (%sA);" % ("stream " if i & 1 else "", "stream " if i & 2 else "")


FILES = {
    "depth.proto": 'syntax = "proto3"; package hard.depth;\n' + nested(0, 29),
    "fields.proto": 'syntax = "proto3"; package hard.fields;\nmessage Big {\n%s}\n' % numbered(
        lambda i, kind: "%s f%d = %d;" % (kind, i, i + 1),
        ["int32", "string", "bytes", "double", "bool", "repeated int64", "optional uint32", "Big"] * 250),
    "messages.proto": 'syntax = "proto3"; package hard.messages;\n' + "".join(
        "message M%d { M%d next = 1; map<string, M%d> m = 2; oneof o { int32 a = 3; M%d b = 4; } }\n" %
        (i, (i * 7 + 1) % 1000, i * 3 % 1000, i) for i in range(1000)),
    "values.proto": 'syntax = "proto3"; package hard.values;\nenum E { option allow_alias = true;\n%s}\n' % numbered(
        lambda i, _: "E_%d = %d;" % (i, i // 2), range(1000)),
    "methods.proto": 'syntax = "proto3"; package hard.methods;\nmessage A {}\nservice S {\n%s}\n' % numbered(
        lambda i, _: "rpc M%d%s" % (i, methods(i)), range(500)),
    "words_plain.proto": fields("hard.plain", ["int32", "string", "bytes", "Other"]),
    "words_optional.proto": fields("hard.optional", ["int32", "string", "bytes", "Other"], "optional "),
    "words_repeated.proto": fields("hard.repeated", ["int32", "string", "bytes", "Other"], "repeated "),
    "words_map.proto": fields("hard.map", ["map<string, Other>", "map<int32, bytes>", "map<bool, string>"]),
    "words_oneof.proto": 'syntax = "proto3"; package hard.oneof;\nmessage M { oneof o {\n%s} }\n' % numbered(
        lambda i, word: "%s %s = %d;" % (["int32", "string", "bytes", "M"][i % 4], word, i + 1), WORDS),
    "words_oneofs.proto": 'syntax = "proto3"; package hard.oneofs;\nmessage M {\n%s}\n' % numbered(
        lambda i, word: "oneof %s { int32 a%d = %d; }" % (word, i, i + 1), WORDS),
    "words_values.proto": 'syntax = "proto3";\nenum Weird { WEIRD_ZERO = 0;\n%s}\n' % numbered(
        lambda i, word: "%s = %d;" % (word, i + 1),
        [word for word in WORDS if word not in ("class", "printf", "main", "malloc", "free", "abort", "stat", "isnan")]),
    "words_types.proto": 'syntax = "proto3"; package hard.types;\n' + "".join(
        "message %s { int32 a = 1; enum %s_e { Z%d = 0; } }\n" % (word, word, i) for i, word in enumerate(WORDS)),
    "words_methods.proto": 'syntax = "proto3"; package hard.m;\nmessage A {}\nservice Svc {\n%s}\n%s' % (
        numbered(lambda i, name: "rpc %s%s" % (name, methods(i)), METHODS),
        "".join("service X%s { rpc %s(A) returns (A); }\n" % (name, name) for name in METHODS)),
    "words_services.proto": 'syntax = "proto3"; package hard.s;\nmessage A {}\n' + "".join(
        "service %s { rpc %s(A) returns (A); rpc Get(stream A) returns (stream A); }\n" % (name, name)
        for name in METHODS),
    "words_package.proto": 'syntax = "proto3"; package class.int.new.register;\n'
                           "message A { A a = 1; }\nenum E { Z = 0; }\nservice S { rpc G(A) returns (A); }\n",
    "digits.proto": 'syntax = "proto3"; package hard.d1.v2beta3;\n'
                    "message H2O { int32 a1b2 = 1; int32 A1 = 2; int32 _x = 3; int32 __y = 4; int32 x1_ = 5; }\n"
                    "enum E1 { E1_0X = 0; E1_1 = 1; }\nservice S3 { rpc GetV2(H2O) returns (H2O); "
                    "rpc Get_under(H2O) returns (H2O); rpc lower(H2O) returns (H2O); }\n",
    "empty.proto": 'syntax = "proto3";\n',
    "empty_package.proto": 'syntax = "proto3"; package hard.nothing;\n',
    "only_enum.proto": 'syntax = "proto3";\nenum OnlyEnum { ONLY_ZERO = 0; }\n',
    "a-b/c.d/e f.proto": 'syntax = "proto3"; package hard.path;\nmessage P { int32 a = 1; }\n'
                         "service S { rpc X(P) returns (P); }\n",
    "1digit.proto": 'syntax = "proto3"; package hard.digit;\nmessage P { int32 a = 1; }\n',
    "public_b.proto": 'syntax = "proto3"; package hard.b;\nmessage B { int32 a = 1; }\n',
    "public_a.proto": 'syntax = "proto3"; package hard.a;\nimport public "public_b.proto";\nmessage A { hard.b.B b = 1; }\n',
    "public.proto": 'syntax = "proto3"; package hard.c;\nimport "public_a.proto";\nimport weak "public_b.proto";\n'
                    "message C { hard.b.B b = 1; hard.a.A a = 2; }\n",
    "comments.proto": """// \u00e9 \u6f22\u5b57 \U0001f600 and */ end and ??/ trigraph \\
syntax = "proto3";
package hard.comments;
// a */ b /* c // d \\
// trailing backslash \\
message A { /* block * / star
 * line */ int32 a = 1; // trailing */ ??/
  // \u202e turned \u2066 about \u200b zero wide
  string s = 2; /* odd **/
}
/***********/
// %s %d $name$ $$ "quoted" 'x' \\n \\u0041 \\
enum E { /* zero */ Z = 0; // z \\
}
// svc */
service S { // in
  /* rpc */ rpc G(A) returns (A); // after $c$
}
""",
    "proto2.proto": r"""syntax = "proto2";
package hard.p2;
enum E { A = 1; B = -2; C = 2147483647; D = -2147483648; }
message M {
  required int32 r = 1;
  optional double inf = 2 [default = inf];
  optional double ninf = 3 [default = -inf];
  optional double n = 4 [default = nan];
  optional float finf = 5 [default = inf];
  optional float tiny = 7 [default = 1e-45];
  optional double huge = 8 [default = 1.7976931348623157e308];
  optional bytes b = 9 [default = "\001\000\377\"\'\\ \n??/?"];
  optional string s = 10 [default = "h\303\251 \"q\" ??/ \\ %d \x41 7"];
  optional int64 i = 11 [default = -9223372036854775808];
  optional uint64 u = 12 [default = 18446744073709551615];
  optional E e = 13 [default = D];
  optional int32 mn = 14 [default = -2147483648];
  repeated int32 packed = 16 [packed = true];
  optional float negz = 18 [default = -0.0];
  optional string empty = 19 [default = ""];
  extensions 100 to 199;
  oneof o { int32 oi = 20 [default = 5]; string os = 21 [default = "x"]; E oe = 22 [default = B]; }
  repeated E es = 24;
  required M rm = 25;
  required string rs = 26 [default = "req"];
  required bytes rb = 27;
  required E re = 28;
  optional bytes hexy = 29 [default = "\x01" "2" "\0017"];
  optional float big = 30 [default = 3.4028235e38];
}
""",
}


def main():
    for name, text in FILES.items():
        path = os.path.join(sys.argv[1], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


main()
