#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# For maintainers: runs scripts/slurm/*.sbatch end to end under a Slurm of one node that it starts
# on the loopback interface, and prints a line per claim: ok or FAILED. Needs root, python3, and
# Debian's slurm-wlm and munge, which it installs where they are missing. Keys, configuration, state
# and logs are in a directory of its own; a Slurm or munge that the machine has is left alone.
# Takes three to four minutes, of which a minute and a half is load on one or two cores.
#
#   scripts/slurm-test.sh [--no-install] [--keep] [PROGRAM]
#
# PROGRAM: the dwconv to test [build/release/apps/dwconv], built with Open MPI. --keep leaves the
# directory for a look. Exit code: 0, 1 when a claim failed, 2 bad usage, 77 when it cannot run.
set -euo pipefail
exec </dev/null

usage() { sed -n '10,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
say() { printf 'slurm-test: %s\n' "$*"; }
skip() { say "$*"; exit 77; }

install=1 keep=0
while [[ ${1-} == -* ]]; do
    case $1 in
    --no-install) install=0 ;;
    --keep) keep=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
(($# <= 1)) || { usage >&2; exit 2; }

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/slurm" && pwd)
program=$(realpath -- "${1-$scripts/../../build/release/apps/dwconv}")
[[ -x $program ]] || skip "there is no program $program; scripts/build.sh makes it"
"$program" --version >/dev/null || skip "$program does not run"
((EUID == 0)) || skip 'slurmd needs root'
export PATH=$PATH:/usr/sbin
missing() {
    local name
    for name in munged slurmctld slurmd sbatch srun scontrol scancel squeue mpirun python3; do
        command -v "$name" >/dev/null || printf '%s ' "$name"
    done
}
if [[ -n $(missing) ]]; then
    ((install)) || skip "not installed: $(missing); Debian's packages are slurm-wlm, munge, openmpi-bin, python3"
    command -v apt-get >/dev/null || skip "not installed: $(missing), and there is no apt-get"
    say "installing slurm-wlm and munge, for $(missing)"
    log=$(DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        slurm-wlm munge openmpi-bin python3 2>&1) || { printf '%s\n' "$log" >&2; skip 'apt-get failed'; }
    [[ -z $(missing) ]] || skip "still not installed: $(missing)"
fi

# ---- a Slurm of our own --------------------------------------------------------------------------

scratch=$(mktemp -d -t dwconv-slurm.XXXXXX)
chmod 755 "$scratch" # munged wants its socket reachable for all
export SLURM_CONF=$scratch/slurm.conf
export TMPDIR=$scratch/tmp # what Open MPI and PMIx leave behind when they are killed
daemons=()

# Slurm's processes for jobs are no children of ours; they have the name of our configuration.
strays() {
    local directory pid
    for directory in /proc/[0-9]*; do
        pid=${directory#/proc/}
        if [[ $pid != "$$" && $pid != "$BASHPID" ]] &&
            tr '\0' '\n' 2>/dev/null <"$directory/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF"; then
            printf '%s\n' "$pid"
        fi
    done
}
cleanup() {
    local code=$? pid
    set +e
    trap '' INT TERM
    if ((${#daemons[@]} > 1)); then
        timeout 10 scancel --signal=KILL --full --user=root 2>/dev/null
        timeout 10 scancel --user=root 2>/dev/null
        sleep 1
    fi
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null; done
    sleep 1
    for pid in "${daemons[@]}" $(strays); do kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    if ((keep)); then say "configuration, logs and files are in $scratch"; else rm -rf "$scratch"; fi
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 20000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    done
    printf '%s\n' "$port"
}

# cred_expire: how long a job waits that is queued again, and not the 120 seconds of the default.
# sched_interval: the scheduler looks at the queue every second, and not every minute.
# config_overrides: four processors, whatever the machine has. linuxproc, affinity: no cgroups needed.
configure() {
    local host
    host=$(hostname -s)
    cat >"$SLURM_CONF" <<END
ClusterName=dwconv
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$scratch/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
TmpFS=$scratch/tmp
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
PlugStackConfig=$scratch/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=$1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=1
MpiDefault=none
KillWait=3
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE
END
}
node_is_up() {
    local i
    for ((i = 0; i < 40; i++)); do
        if [[ $(timeout 5 sinfo -h -o %T 2>/dev/null) == idle ]]; then return 0; fi
        sleep 0.25
    done
    return 1
}
start_slurm() { # TASK-PLUGIN
    configure "$1"
    slurmctld -D >"$scratch/slurmctld.out" 2>&1 &
    daemons+=("$!")
    sleep 0.5
    slurmd -D >"$scratch/slurmd.out" 2>&1 &
    daemons+=("$!")
    node_is_up && timeout 20 srun -n 1 true >"$scratch/srun.out" 2>&1
}

mkdir -p "$scratch"/{munge,state,spool,tmp,work}
chmod 711 "$scratch/munge"
: >"$scratch/plugstack.conf"
(umask 077 && head -c 128 /dev/urandom >"$scratch/munge/key")
for name in "${!SLURM_@}" "${!SBATCH_@}" "${!PMIX_@}" "${!OMPI_@}" "${!DWC_@}" "${!DWCONV_@}"; do
    [[ $name == SLURM_CONF ]] || unset "$name"
done
munged --foreground --key-file="$scratch/munge/key" --socket="$scratch/munge/socket" \
    --pid-file="$scratch/munge/pid" --log-file="$scratch/munge/log" --seed-file="$scratch/munge/seed" \
    >"$scratch/munged.out" 2>&1 &
daemons+=("$!")
for ((i = 0; i < 40; i++)); do
    [[ ! -S $scratch/munge/socket ]] || break
    sleep 0.1
done
munge -S "$scratch/munge/socket" -n >/dev/null 2>&1 || skip "munged does not start: $(tail -n 1 "$scratch/munged.out")"
if ! start_slurm task/affinity; then
    kill "${daemons[@]:1}" 2>/dev/null || true
    sleep 1
    start_slurm task/none ||
        skip "Slurm does not start: $(cat "$scratch/srun.out" "$scratch"/slurm*.log 2>/dev/null | grep -E 'error|fatal' | tail -n 3)"
fi
[[ $(srun --mpi=list 2>&1) == *pmix* ]] || skip 'srun has no pmix'
say "$(srun --version) runs, $("$program" --version | head -n 1)"

# ---- claims --------------------------------------------------------------------------------------

failures=0
claim() { # TEXT CONDITION...: a condition is a command; the log of the job is shown when it fails
    local text=$1
    shift
    if "$@"; then
        printf 'ok      %s\n' "$text"
    else
        printf 'FAILED  %s\n' "$text"
        failures=$((failures + 1))
        printf '        state: %s\n' "${end-}"
        if [[ -f ${log-} ]]; then tail -n 12 "$log" | sed 's/^/        | /'; fi
    fi
}
submit() { # SCRIPT OPTIONS-OF-SBATCH... -- ARGUMENTS...: sets id, log
    local script=$scripts/$1.sbatch options=(--nodes=1)
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    id=$(sbatch --parsable "${options[@]}" --output="$PWD/job-%j.log" "$script" "$@")
    log=$PWD/job-$id.log end=
}
state() { # JobState, ExitCode, Restarts
    timeout 10 scontrol --oneliner show job "$id" |
        sed -nE 's/.* JobState=([A-Z_]+) .* Restarts=([0-9]+) .* ExitCode=([0-9:]+) .*/\1 \3 restarts=\2/p'
}
wait_for() { # SECONDS COMMAND...
    local limit=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < limit)) || return 1
        sleep 0.2
    done
}
is_queued_again() { [[ $(state) =~ ^(PENDING|COMPLETING).*restarts=[1-9] ]]; }
is_over() { [[ ! $(state) =~ ^(PENDING|RUNNING|COMPLETING|REQUEUED|CONFIGURING|STOPPED|SUSPENDED) ]]; }
finish() { # sets end
    wait_for 180 is_over || true
    end=$(state)
}
ended() { [[ $end =~ ^$1$ ]]; }
logged() { grep -qF -- "$1" "$log"; }
all() { # "COMMAND WORD..." ...
    local one
    for one; do
        eval "$one" || return 1
    done
}
same() { [[ -f $1 && $(sha256sum <"$1") == "$2" ]]; }

# What is recorded of an output: bytes of its journals, while it is partial.
recorded() {
    local sum=0 size
    for size in $(stat -c %s "$1".partial-*.journal 2>/dev/null); do sum=$((sum + size)); done
    printf '%s\n' "$sum"
}
has_records() { (($(recorded "$1") >= 1024)); } # sixteen, less the first lines
# Watches the second run of a job to its end: "kept" is 1 if never less was recorded than before it.
finish_resumed() { # OUTPUT
    local now
    before=$(recorded "$1") kept=1
    while ! is_over; do
        now=$(recorded "$1")
        if [[ -f $1.partial ]] && ((now < before)); then kept=0; fi
        sleep 0.2
    done
    end=$(state)
}
resumed() { ((before >= 1024 && kept)); }

cd "$scratch/work"
export DWCONV=$program
# As root, on fewer cores than processes: for this test, not for clusters.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none

write_npy() { # FILE A,B,C,D: random float32
    python3 - "$1" "$2" <<'END'
import array, random, sys
shape = tuple(map(int, sys.argv[2].split(",")))
random.seed(sys.argv[1])
count = shape[0] * shape[1] * shape[2] * shape[3]
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
header += " " * (63 - (10 + len(header)) % 64) + "\n"
with open(sys.argv[1], "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    array.array("f", (random.random() for _ in range(count))).tofile(f)
END
}
# Slow on purpose, many chunks, recorded often; one thread, so that the ranks say how many cores work.
slow=(--filter filter.npy --algo reference --chunk-images 1 --checkpoint 0.2 --threads 1)
write_npy filter.npy 15,15,8,1
write_npy probe.npy 16,32,32,8
began=$(date +%s%N)
"$program" conv --input probe.npy --output probe-out.npy "${slow[@]}" >/dev/null
per_image=$((($(date +%s%N) - began) / 16 / 1000)) # microseconds
small=$((10000000 / per_image)) large=$((42000000 / per_image)) # 10 and 42 seconds of one core
((small > 64)) || small=64
write_npy small.npy "$small,32,32,8"
write_npy large.npy "$large,32,32,8"
say "inputs of $small and $large images; one plain process computes what is to come out"
"$program" conv --input small.npy --output plain.npy "${slow[@]}" >/dev/null
plain=$(sha256sum <plain.npy)
"$program" conv --input large.npy --output plain-large.npy "${slow[@]::8}" --threads 2 >/dev/null
plain_large=$(sha256sum <plain-large.npy)

problems=()
for ((i = 0; i < 24; i++)); do problems+=("f32:nhwc:n1:$((8 + i))x16x16:k3x3"); done
has_record_of_all() {
    local problem text
    for problem in "${problems[@]}"; do
        text=$("$program" wisdom explain "$problem" --threads 1 --wisdom "$1" 2>&1) || return 1
        [[ $text == *"chosen by: record"* ]] || return 1
    done
}
some_tuned() { grep -q '"key":"f32' "$1"* 2>/dev/null; }

submit tune -- f32:nhwc:n$small:32x32x8:k15x15 --wisdom records.jsonl --threads 1
finish
claim 'tune: ends with 0' ended 'COMPLETED 0:0 restarts=0'
submit conv --ntasks-per-node=2 -- --input small.npy --filter filter.npy --output tuned.npy --threads 1 \
    --effort wisdom --wisdom records.jsonl --json
finish
claim 'conv: finds the record of tune' all "ended 'COMPLETED 0:0 restarts=0'" "logged '\"source\":\"record\"'"

submit tune -- "${problems[@]}" --effort patient --threads 1 --wisdom many.jsonl
wait_for 60 some_tuned many.jsonl || true
scancel --batch --signal=USR1 "$id" || true
wait_for 60 is_queued_again || true
claim 'tune, USR1: stopped with 75 and queued again' all is_queued_again "logged 'is queued again'"
finish
claim 'tune, USR1: goes on and has a record of every problem' all "ended 'COMPLETED 0:0 restarts=[1-9]'" \
    'has_record_of_all many.jsonl'

submit conv --ntasks-per-node=2 -- --input small.npy --output out.npy "${slow[@]}"
finish
claim 'conv: two ranks under srun, ends with 0' all "ended 'COMPLETED 0:0 restarts=0'" "logged '2 ranks'"
claim 'conv: the bits of one process' same out.npy "$plain"

stop_and_go_on() { # WHAT OUTPUT COMMAND...: what stops the job
    local what=$1 output=$2
    shift 2
    wait_for 60 has_records "$output" || true
    "$@" || true
    wait_for 60 is_queued_again || true
    claim "$what: queued again, the output still partial" all is_queued_again "[[ -f $output.partial && ! -e $output ]]"
    finish_resumed "$output"
    claim "$what: goes on with what was recorded, to the end" all "ended 'COMPLETED 0:0 restarts=[1-9]'" resumed
    claim "$what: the bits of one process" same "$output" "$plain"
}
submit conv --ntasks-per-node=2 -- --input small.npy --output usr1.npy "${slow[@]}"
stop_and_go_on 'conv, USR1' usr1.npy scancel --batch --signal=USR1 "$id"
claim 'conv, USR1: the program stopped with 75' all "logged 'stopped on request'" "logged 'Exited with exit code 75'"

DWCONV_LAUNCH='mpirun -n 2' submit conv --ntasks-per-node=2 -- --input small.npy --output mpirun.npy "${slow[@]}"
stop_and_go_on 'conv by mpirun, USR1' mpirun.npy scancel --batch --signal=USR1 "$id"

submit conv --ntasks-per-node=2 -- --input small.npy --output requeued.npy "${slow[@]}"
stop_and_go_on 'conv, requeued hard' requeued.npy scontrol requeue "$id"

submit conv --ntasks-per-node=2 -- --input small.npy --output killed.npy "${slow[@]}"
wait_for 60 has_records killed.npy || true
scancel --signal=KILL "$id" || true
finish
claim 'conv, KILL: the job is cancelled, the output still partial' all "ended 'CANCELLED .* restarts=0'" \
    '[[ -f killed.npy.partial && ! -e killed.npy ]]'
submit conv --ntasks-per-node=1 -- --input small.npy --output killed.npy "${slow[@]}"
finish_resumed killed.npy
claim 'conv, KILL: submitted again, on one rank, it goes on' all "ended 'COMPLETED 0:0 restarts=0'" resumed
claim 'conv, KILL: the bits of one process' same killed.npy "$plain"

one_rank() { # its process
    local pid
    for pid in $(strays); do
        if [[ $(readlink "/proc/$pid/exe") == "$program" ]]; then printf '%s\n' "$pid"; return; fi
    done
}
DWCONV_LAUNCH='srun --mpi=pmix --wait=3' submit conv --ntasks-per-node=2 -- --input small.npy --output rank.npy "${slow[@]}"
wait_for 60 has_records rank.npy || true
kill -KILL "$(one_rank)" || true
finish
claim 'conv, one rank killed: the other is ended, the job fails with 137' ended 'FAILED 137:0 restarts=0'

# Slurm looks at limits every 30 seconds: of a limit of one minute, the signal comes in the first half.
submit conv --ntasks-per-node=1 --time=1 --signal=B:USR1@30 -- --input large.npy --output limit.npy "${slow[@]}"
plain=$plain_large stop_and_go_on 'conv, time limit' limit.npy true
claim 'conv, time limit: the program stopped with 75' all "logged 'stopped on request'" \
    "logged 'Exited with exit code 75'"

DWCONV_RESTARTS=0 submit conv -- --input small.npy --output bounded.npy "${slow[@]}"
wait_for 60 has_records bounded.npy || true
scancel --batch --signal=USR1 "$id" || true
finish
claim 'conv, USR1 after the last restart: the job fails with 75' all "ended 'FAILED 75:0 restarts=0'" \
    "logged 'submit it again'"
submit conv -- --input none.npy --output none-out.npy "${slow[@]}"
finish
claim 'conv, no input: the job fails with 1' all "ended 'FAILED 1:0 restarts=0'" "logged 'dwconv conv: none.npy'"
submit conv -- --input small.npy --output none-out.npy "${slow[@]}" --strides x
finish
claim 'conv, bad usage: the job fails with 2' ended 'FAILED 2:0 restarts=0'

if ((failures)); then
    say "$failures claim(s) failed"
    exit 1
fi
say 'every claim holds'
