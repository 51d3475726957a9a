# SPDX-License-Identifier: Apache-2.0
"""Every option of --help is in the command's man page and the other way round, with the same argument; commands, exit
status and variables are in the overview page; the pages are clean for groff where it is there.

    python3 man_pages.py PATH_OF_DWCONV FOLDER_OF_MAN_PAGES
"""

import json
import os
import re
import shutil
import subprocess

from cli_support import begin, check, finish, run


def page_options(path):
    """{option: argument} of the paragraphs below .TP, as '.B \\-\\-force' or '.BI \\-\\-input " FILE"'."""
    with open(path) as file:
        text = file.read().replace("\\-", "-")
    found = re.findall(r'^\.TP\n\.(?:B|BI) (--[a-z-]+)(?: " ([^"]+)")?$', text, re.MULTILINE)
    check(f"{os.path.basename(path)}: no option twice", len(dict(found)) == len(found), found)
    return dict(found)


def help_options(command):
    text = run("help", command).stdout
    return dict(re.findall(r"^  (--[a-z-]+)(?: (\S+))?(?:  .*)?$", text, re.MULTILINE))


def help_commands():
    return re.findall(r"^  ([a-z]+) +\S", run("help").stdout, re.MULTILINE)


folder = begin()[0]
commands = help_commands()
check("help lists the commands", {"conv", "info", "check", "help"} <= set(commands), commands)
for command in commands:
    page = os.path.join(folder, "dwconv.1" if command == "help" else f"dwconv-{command}.1")
    if check(f"{command}: there is a page", os.path.exists(page), page):
        shown, written = help_options(command), page_options(page)
        check(f"{command}: --help has options", {"--help", "--version", "--verbose"} <= set(shown), shown)
        check(f"{command}: same options in --help and page", shown == written,
              f"differ: {sorted(set(shown.items()) ^ set(written.items()))}")
with open(os.path.join(folder, "dwconv.1")) as file:
    overview = file.read()
for command in commands:
    check(f"overview: {command}", re.search(rf"^\.B {command}$", overview, re.MULTILINE))
for variable in json.loads(run("info", "--env", "--json").stdout)["env"]:
    check(f"overview: {variable}", re.search(rf"^\.B {variable}$", overview, re.MULTILINE))
for page in sorted(os.listdir(folder)):
    if shutil.which("groff"):
        result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", os.path.join(folder, page)], capture_output=True)
        check(f"{page}: clean for groff", not result.stderr and not result.returncode, result.stderr)
finish()
