# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one machine: each has a network, a host name and mounts of its own.

    enter()                      the script starts again, with namespaces of its own that end with it
    Nodes(["n1", "n2"])          the nodes

    this process: a bridge      n1: eth0 10.77.0.1      n2: eth0 10.77.0.2      tc tbf on each eth0, if wanted
                    |__________________|________________________|

Whatever way the script ends, so do all processes on the nodes, and with them networks and mounts: the script is the first
process of a process namespace.
"""

import os
import shlex
import shutil
import subprocess
import sys

NAMESPACES = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
INSIDE = "DWC_TEST_NODES_INSIDE"
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
               "OMPI_MCA_btl": "self,vader,tcp", "OMPI_MCA_btl_tcp_if_include": "eth0",
               "OMPI_MCA_oob_tcp_if_include": "eth0", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
               "OMPI_MCA_btl_base_warn_component_unused": "0"}


def enter():
    """Returns in the namespaces; or returns why that is not possible here."""
    if INSIDE in os.environ:
        del os.environ[INSIDE]
        return None
    for tool in ("unshare", "nsenter", "ip", "tc", "mount", "hostname"):
        if not shutil.which(tool):
            return f"no {tool} here"
    become = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), *NAMESPACES]
    probe = "hostname x && ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2 && mount -t tmpfs none /mnt"
    tried = subprocess.run([*become, "sh", "-c", probe], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if tried.returncode:
        return "no namespaces here: " + (tried.stderr.strip().splitlines() or ["unshare fails"])[-1]
    os.environ[INSIDE] = "1"
    os.execvp(become[0], [*become, sys.executable, "-B", *sys.argv])


def must(*words):
    subprocess.run([str(word) for word in words], check=True, stdin=subprocess.DEVNULL)


class Nodes:
    """Nodes of these names; `directory` keeps what they need."""

    def __init__(self, names, directory, mpirun):
        self.names, self.mpirun, self.holders = list(names), mpirun, {}
        self.agent = os.path.join(directory, "agent")
        hosts = os.path.join(directory, "hosts")
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost\n")
            file.writelines(f"10.77.0.{i + 1} {name}\n" for i, name in enumerate(self.names))
        must("mount", "--bind", hosts, "/etc/hosts")
        must("ip", "link", "set", "lo", "up")
        must("ip", "link", "add", "bridge", "type", "bridge")
        must("ip", "link", "set", "bridge", "up")
        for i, name in enumerate(self.names):
            self.add(name, i)
        with open(self.agent, "w") as file:
            file.write('#!/bin/sh\n# agent HOST COMMAND: runs the command on that node\nhost=$1\nshift\ncase $host in\n')
            file.writelines(f"{name}) pid={holder.pid};;\n" for name, holder in self.holders.items())
            file.write('esac\nexec nsenter -t "$pid" --net --uts --mount -- sh -c "$*"\n')
        os.chmod(self.agent, 0o755)

    def add(self, name, i):
        holder = subprocess.Popen(["unshare", "--net", "--uts", "--mount", "sh", "-c",
                                   f"hostname {name} && ip link set lo up && echo ready && exec sleep 100000"],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.holders[name] = holder
        if holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"node {name} does not start")
        must("ip", "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", holder.pid)
        must("ip", "link", "set", f"port{i}", "master", "bridge", "up")
        self.on(name, "ip", "addr", "add", f"10.77.0.{i + 1}/24", "dev", "eth0")
        self.on(name, "ip", "link", "set", "eth0", "up")

    def enter(self, name):
        return ["nsenter", "-t", str(self.holders[name].pid), "--net", "--uts", "--mount", "--"]

    def on(self, name, *words):
        """Runs a command on a node."""
        must(*self.enter(name), *words)

    def shape(self, rate):
        """Limits what leaves each node; rate as in tc, or None."""
        for name in self.names:
            subprocess.run([*self.enter(name), "tc", "qdisc", "del", "dev", "eth0", "root"], stderr=subprocess.DEVNULL)
            if rate:
                self.on(name, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "256kb", "latency",
                        "20ms")

    def start(self, ranks, *words, environment=None, options=()):
        """Starts a command on so many ranks of each node, {name: ranks}; mpirun runs on the first of them."""
        hosts = ",".join(f"{name}:{count}" for name, count in ranks.items())
        command = [self.mpirun, "--timeout", "60", "--host", hosts, "-n", sum(ranks.values()), "--mca", "plm_rsh_agent",
                   self.agent, *options, *words]
        text = " ".join(shlex.quote(str(word)) for word in command)
        return subprocess.Popen([*self.enter(next(iter(ranks))), "sh", "-c", f"cd {shlex.quote(os.getcwd())} && exec {text}"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env={**os.environ, **ENVIRONMENT, **(environment or {})})

    def end(self, process, words):
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(words, process.returncode, out.decode(errors="replace"),
                                           err.decode(errors="replace"))

    def run(self, ranks, *words, **options):
        return self.end(self.start(ranks, *words, **options), words)

    def processes(self, name, program):
        """Process numbers of a program on a node."""
        here, found = os.stat(f"/proc/{self.holders[name].pid}/ns/net").st_ino, []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino == here and os.readlink(f"/proc/{pid}/exe") == program:
                    found.append(int(pid))
            except OSError:  # it has just ended
                pass
        return found
