# SPDX-License-Identifier: Apache-2.0
"""Hostile .npy files and arguments that do not fit together: each is one line that names the file and the trouble, exit
status 2, and neither an output nor a partial file."""

import os
import struct

from cli_support import begin, check, expect_error, finish, header_text, npy_bytes, pack, run, seen, write_npy

SHAPE = (1, 2, 3, 2)
DATA = pack("f32", range(1, 13))
GOOD = header_text(SHAPE, "<f4")
ARGUMENTS = ["conv", "--filter", "filter.npy", "--output", "output.npy", "--padding", "valid", "--input"]


def shaped(text):
    assert "(1, 2, 3, 2)" in GOOD
    return GOOD.replace("(1, 2, 3, 2)", text)


def with_length(length, version=1, body=b"{'descr': '<f4'"):
    width = 2 if version == 1 else 4
    return b"\x93NUMPY" + bytes((version, 0)) + length.to_bytes(width, "little") + body


HOSTILE = {
    # name: (bytes of the file, word of the message)
    "empty file": (b"", "not an npy file"),
    "one byte": (b"\x93", "not an npy file"),
    "text": (b"1 2 3\n" * 20, "not an npy file"),
    "zip": (b"PK\x03\x04" + bytes(100), "not an npy file"),
    "magic only": (b"\x93NUMPY", "not an npy file"),
    "magic and version only": (b"\x93NUMPY\x01\x00", "not an npy file"),
    "version 0.0": (npy_bytes(GOOD, DATA, (0, 0)), "version 0.0"),
    "version 1.1": (npy_bytes(GOOD, DATA, (1, 1)), "version 1.1"),
    "version 4.0": (npy_bytes(GOOD, DATA, (4, 0)), "version 4.0"),
    "version 255.255": (npy_bytes(GOOD, DATA, (255, 255)), "version 255.255"),
    "Fortran order": (npy_bytes(header_text(SHAPE, "<f4", "True"), DATA), "Fortran order"),
    "Fortran order, version 2": (npy_bytes(header_text(SHAPE, "<f4", "True"), DATA, (2, 0)), "Fortran order"),
    "Fortran order, version 3": (npy_bytes(header_text(SHAPE, "<f4", "True"), DATA, (3, 0)), "Fortran order"),
    "big endian": (npy_bytes(header_text(SHAPE, ">f4"), DATA), "big endian"),
    "big endian f8": (npy_bytes(header_text(SHAPE, ">f8"), DATA * 2), "big endian"),
    "native endian": (npy_bytes(header_text(SHAPE, "=f4"), DATA), "'=f4'"),
    "object type": (npy_bytes(header_text(SHAPE, "|O"), DATA), "Python objects"),
    "integers": (npy_bytes(header_text(SHAPE, "<i4"), DATA), "'<i4'"),
    "complex": (npy_bytes(header_text(SHAPE, "<c8"), DATA), "'<c8'"),
    "long double": (npy_bytes(header_text(SHAPE, "<f16"), DATA), "'<f16'"),
    "strings": (npy_bytes(header_text(SHAPE, "<U1"), DATA), "'<U1'"),
    "bytes of 4": (npy_bytes(header_text(SHAPE, "|V4"), DATA), "'|V4'"),
    "empty type": (npy_bytes(header_text(SHAPE, ""), DATA), "''"),
    "type of 70 letters": (npy_bytes(header_text(SHAPE, "<" + "f" * 70), DATA), "malformed"),
    "structured type": (npy_bytes(GOOD.replace("'<f4'", "[('a', '<f4')]"), DATA), "structured"),
    "type as a number": (npy_bytes(GOOD.replace("'<f4'", "4"), DATA), "malformed"),
    "rank 0": (npy_bytes(shaped("()"), DATA[:4]), "rank is 0, not 4"),
    "rank 1": (npy_bytes(shaped("(12,)"), DATA), "rank is 1, not 4"),
    "rank 3": (npy_bytes(shaped("(2, 3, 2)"), DATA), "rank is 3, not 4"),
    "rank 5": (npy_bytes(shaped("(1, 1, 2, 3, 2)"), DATA), "rank is 5, not 4"),
    "rank 40": (npy_bytes(shaped("(" + "1, " * 36 + "1, 2, 3, 2)"), DATA), "rank 40"),
    "truncated by one byte": (npy_bytes(GOOD, DATA[:-1]), "truncated"),
    "no data": (npy_bytes(GOOD, b""), "truncated"),
    "one byte too many": (npy_bytes(GOOD, DATA + b"x"), "1 trailing bytes"),
    "a megabyte too many": (npy_bytes(GOOD, DATA + bytes(1000000)), "1000000 trailing bytes"),
    "data of an empty array": (npy_bytes(shaped("(0, 2, 3, 2)"), DATA), "48 trailing bytes"),
    "negative size": (npy_bytes(shaped("(1, -2, 3, 2)"), DATA), "negative"),
    "two negative sizes": (npy_bytes(shaped("(1, -2, -3, 2)"), DATA), "negative"),
    "huge size": (npy_bytes(shaped("(1, 9223372036854775807, 3, 2)"), DATA), "overflow"),
    "size above 64 bits": (npy_bytes(shaped("(1, 9223372036854775808, 3, 2)"), DATA), "64 bits"),
    "size of 100 digits": (npy_bytes(shaped("(1, " + "9" * 100 + ", 3, 2)"), DATA), "64 bits"),
    "product that wraps to 12": (npy_bytes(shaped("(4294967296, 4294967296, 3, 4)"), DATA), "overflow"),
    "product that wraps to 0": (npy_bytes(shaped("(65536, 65536, 65536, 65536)"), DATA), "overflow"),
    "bytes that wrap": (npy_bytes(shaped("(4611686018427387904, 1, 1, 1)"), DATA), "overflow"),
    "large but possible": (npy_bytes(shaped("(1048576, 1024, 1024, 64)"), DATA), "truncated"),
    "Python 2 number": (npy_bytes(shaped("(1L, 2L, 3L, 2L)"), DATA), "malformed"),
    "leading zero": (npy_bytes(shaped("(1, 02, 3, 2)"), DATA), "malformed"),
    "plus sign": (npy_bytes(shaped("(1, +2, 3, 2)"), DATA), "malformed"),
    "float size": (npy_bytes(shaped("(1, 2.0, 3, 2)"), DATA), "malformed"),
    "underscore": (npy_bytes(shaped("(1, 2, 3, 0_2)"), DATA), "malformed"),
    "hexadecimal": (npy_bytes(shaped("(1, 0x2, 3, 2)"), DATA), "malformed"),
    "True as a size": (npy_bytes(shaped("(True, 2, 3, 2)"), DATA), "malformed"),
    "shape as a list": (npy_bytes(shaped("[1, 2, 3, 2]"), DATA), "malformed"),
    "shape as a number": (npy_bytes(shaped("12"), DATA), "malformed"),
    "shape (12)": (npy_bytes(shaped("(12)"), DATA), "malformed"),
    "shape (,)": (npy_bytes(shaped("(,)"), DATA), "malformed"),
    "two commas": (npy_bytes(shaped("(1, 2,, 3, 2)"), DATA), "malformed"),
    "no comma": (npy_bytes(shaped("(1 2, 3, 2)"), DATA), "malformed"),
    "open tuple": (npy_bytes(shaped("(1, 2, 3, 2"), DATA), "malformed"),
    "nested tuple": (npy_bytes(shaped("(1, (2, 3), 2)"), DATA), "malformed"),
    "open dictionary": (npy_bytes(GOOD[:-1], DATA), "malformed"),
    "text behind the dictionary": (npy_bytes(GOOD + " x", DATA), "malformed"),
    "two dictionaries": (npy_bytes(GOOD + GOOD, DATA), "malformed"),
    "no dictionary": (npy_bytes("", DATA), "malformed"),
    "empty dictionary": (npy_bytes("{}", DATA), "no key 'descr'"),
    "list": (npy_bytes("[1, 2]", DATA), "malformed"),
    "comma only": (npy_bytes("{,}", DATA), "malformed"),
    "two commas between keys": (npy_bytes(GOOD.replace("'<f4',", "'<f4',,"), DATA), "malformed"),
    "no comma between keys": (npy_bytes(GOOD.replace("'<f4',", "'<f4'"), DATA), "malformed"),
    "no colon": (npy_bytes(GOOD.replace("'descr':", "'descr'"), DATA), "malformed"),
    "key without quotes": (npy_bytes(GOOD.replace("'descr'", "descr"), DATA), "malformed"),
    "open string": (npy_bytes(GOOD.replace("'<f4'", "'<f4"), DATA), "element type"),
    "mixed quotes": (npy_bytes(GOOD.replace("'<f4'", "'<f4\""), DATA), "element type"),
    "escape": (npy_bytes(GOOD.replace("'<f4'", "'\\x3cf4'"), DATA), "malformed"),
    "zero byte": (npy_bytes(GOOD.encode().replace(b"<f4", b"<f4\0"), DATA), "malformed"),
    "zero bytes for blanks": (npy_bytes(GOOD.encode() + bytes(8), DATA), "malformed"),
    "newline in a string": (npy_bytes(GOOD.replace("<f4", "<f4\nx"), DATA), "malformed"),
    "letters beyond ASCII": (npy_bytes(GOOD.replace("<f4", "<f4\u00e9"), DATA, (3, 0)), "malformed"),
    "comment": (npy_bytes(GOOD + "# x", DATA), "malformed"),
    "duplicate key": (npy_bytes(GOOD.replace("{", "{'descr': '<f4', "), DATA), "'descr' is in the npy header twice"),
    "duplicate shape": (npy_bytes(GOOD.replace("}", "'shape': (1, 2, 3, 2)}"), DATA), "twice"),
    "unknown key": (npy_bytes(GOOD.replace("{", "{'extra': 1, "), DATA), "'extra'"),
    "no descr": (npy_bytes(GOOD.replace("'descr': '<f4', ", ""), DATA), "no key 'descr'"),
    "no order": (npy_bytes(GOOD.replace("'fortran_order': False, ", ""), DATA), "no key 'fortran_order'"),
    "no shape": (npy_bytes(GOOD.replace("'shape': (1, 2, 3, 2), ", ""), DATA), "no key 'shape'"),
    "order 0": (npy_bytes(header_text(SHAPE, "<f4", "0"), DATA), "malformed"),
    "order Falsehood": (npy_bytes(header_text(SHAPE, "<f4", "Falsehood"), DATA), "malformed"),
    "order None": (npy_bytes(header_text(SHAPE, "<f4", "None"), DATA), "malformed"),
    "header longer than the file": (with_length(65535), "truncated"),
    "header longer than the file by one": (with_length(len("{'descr': '<f4'") + 1), "truncated"),
    "header of 4 GiB": (with_length(0xFFFFFFFF, 2), "truncated"),
    "header of 4 GiB, version 3": (with_length(0xFFFFFFFF, 3), "truncated"),
    "length cut off": (with_length(5, 2)[:11], "truncated"),
    "header of 2 MiB": (npy_bytes(GOOD + " " * 2097152, DATA, (2, 0)), "more than 1048576"),
    "header of length 0": (with_length(0, 1, DATA), "malformed"),
    "header ends in a string": (with_length(14), "malformed"),
    "header ends in a key": (with_length(4), "malformed"),
    "header ends in a word": (with_length(21, 1, b"{'fortran_order': Fal"), "malformed"),
    "header ends in a number": (with_length(12, 1, b"{'shape': (1"), "malformed"),
    "binary header": (npy_bytes(bytes(range(256)), DATA), "malformed"),
    "10000 brackets": (npy_bytes("{'shape': " + "(" * 10000, DATA), "malformed"),
}

ACCEPTED = {
    "keys in another order": npy_bytes("{'shape': (1, 2, 3, 2), 'fortran_order': False, 'descr': '<f4'}", DATA),
    "no blanks": npy_bytes("{'descr':'<f4','fortran_order':False,'shape':(1,2,3,2)}", DATA),
    "many blanks": npy_bytes(" { 'descr' :\t'<f4' , 'fortran_order' : False ,\n 'shape' : ( 1 , 2 , 3 , 2 , ) , } ", DATA),
    "double quotes": npy_bytes(GOOD.replace("'", '"'), DATA),
    "no padding": npy_bytes(GOOD, DATA, align=1),
    "header of 1 MB": npy_bytes(GOOD + " " * 1000000, DATA, (2, 0)),
}


def hostile_files():
    for name, (content, word) in HOSTILE.items():
        with open("hostile.npy", "wb") as file:
            file.write(content)
        expect_error(name, 2, ["hostile.npy: ", word], *ARGUMENTS, "hostile.npy")
    for which in ("filter", "bias"):
        for name in ("truncated by one byte", "Fortran order", "object type", "open dictionary"):
            with open("hostile.npy", "wb") as file:
                file.write(HOSTILE[name][0])
            arguments = ["--filter", "hostile.npy"] if which == "filter" else ["--filter", "filter.npy", "--bias", "hostile.npy"]
            expect_error(f"{which}: {name}", 2, ["hostile.npy: ", HOSTILE[name][1]], "conv", "--input", "good.npy",
                         "--output", "output.npy", *arguments)


def accepted_files():
    expected = None
    for name, content in {"as NumPy writes it": npy_bytes(GOOD, DATA), **ACCEPTED}.items():
        with open("accepted.npy", "wb") as file:
            file.write(content)
        result = run(*ARGUMENTS, "accepted.npy", "--force")
        if check(name, result.returncode == 0 and not result.stderr, seen(result)):
            with open("output.npy", "rb") as file:
                data = file.read()
            check(name + " is right", struct.unpack("<8f", data[4096:]) == (196, 216, 272, 296, 252, 280, 344, 376), data)
            expected = expected or data
            check(name + " gives the same file", data == expected)
    os.unlink("output.npy")


def misfits():
    """Good files that do not belong together."""
    def conv(name, words, *arguments, **files):
        paths = {"input": "good.npy", "filter": "filter.npy", **files}
        expect_error(name, 2, words, "conv", "--output", "output.npy",
                     *[word for key, path in paths.items() for word in ("--" + key, path)], *arguments)

    write_npy("filter31.npy", (2, 2, 31, 1), [1] * 124)
    write_npy("input32.npy", (1, 2, 2, 32), [1] * 128)
    result = run("conv", "--input", "input32.npy", "--filter", "filter31.npy", "--output", "output.npy")
    check("filter's channels, word by word", result.returncode == 2 and result.stderr ==
          "dwconv conv: filter31.npy: filter has 31 input channels, input has 32\n", seen(result))
    write_npy("filter64.npy", (2, 2, 2, 2), range(16), "f64")
    write_npy("input16.npy", SHAPE, range(12), "f16")
    write_npy("inputbf.npy", SHAPE, range(12), "bf16")
    conv("types differ", ["filter64.npy", "f64", "good.npy", "f32"], filter="filter64.npy")
    conv("types differ from --dtype", ["good.npy", "f32", "--dtype", "bf16"], "--dtype", "bf16")
    conv("f16 is not bf16", ["input16.npy", "f16", "bf16"], "--dtype", "bf16", input="input16.npy")
    conv("bf16 is not f16", ["inputbf.npy", "bf16", "f16"], "--dtype", "f16", input="inputbf.npy")
    conv("V2 needs --dtype", ["inputbf.npy", "--dtype bf16"], input="inputbf.npy")
    write_npy("bias3.npy", (3, ), [1] * 3)
    write_npy("bias2d.npy", (1, 4), [1] * 4)
    write_npy("bias64.npy", (4, ), [1] * 4, "f64")
    conv("bias of the wrong length", ["bias3.npy", "3", "4"], bias="bias3.npy")
    conv("bias of rank 2", ["bias2d.npy", "rank is 2, not 1"], bias="bias2d.npy")
    conv("bias of another type", ["bias64.npy", "f64"], bias="bias64.npy")
    write_npy("filter0.npy", (0, 2, 2, 2), [])
    conv("no taps", ["kh", "0"], filter="filter0.npy")
    conv("filter larger than the image", ["good.npy", "kh", "3", "2"], "--padding", "valid", "--dilations", "2")
    conv("NCHW needs other channels", ["filter.npy: filter has 2 input channels, input has 4"], "--data-format", "NCHW",
         input="nchw.npy")
    conv("huge pads", ["good.npy", "overflow"], "--padding", "9223372036854775807,9223372036854775807,0,0")
    conv("huge output", ["good.npy"], "--padding", "1099511627776,0,1099511627776,0")
    conv("huge dilation", ["good.npy"], "--dilations", "9223372036854775807")
    conv("too little memory", ["--memory", "band of one output row needs"], "--memory", "100")
    conv("name with a newline", ["a\\x0ab.npy"], input="a\nb.npy")


begin()
write_npy("good.npy", SHAPE, range(1, 13))
write_npy("filter.npy", (2, 2, 2, 2), range(1, 17))
write_npy("nchw.npy", (1, 4, 3, 2), range(24))
with open("a\nb.npy", "wb") as broken:
    broken.write(b"broken")
hostile_files()
accepted_files()
misfits()
finish()
