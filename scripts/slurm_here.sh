#!/usr/bin/env bash
# A Slurm of one node with two CPUs on this machine, from the distribution's packages (apt-get install slurm-wlm), for
# the tests marked `slurm`. As root:
#   scripts/slurm_here.sh start FOLDER    then: export SLURM_CONF=FOLDER/slurm.conf; pytest -n 0 -m slurm
#   scripts/slurm_here.sh stop FOLDER
# Jobs of the partition `high` preempt those of `low`: SIGTERM, five seconds, SIGKILL, and the job is queued again.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,6p' "$0"; exit 2; }
mkdir -p "$2"
folder=$(realpath "$2")
daemons="slurmd slurmctld munged"

stop() {
  for daemon in $daemons; do
    [ -f "$folder/$daemon.pid" ] && kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true
  done
}

if [ "$1" = stop ]; then stop; exit 0; fi
for daemon in $daemons; do
  command -v $daemon >/dev/null || { echo "$daemon is not installed: apt-get install slurm-wlm" >&2; exit 2; }
done
mkdir -p "$folder"/{state,spool}
node=$(hostname -s)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
cat >"$folder/slurm.conf" <<END
ClusterName=here
SlurmctldHost=$node
SlurmUser=$(id -un)
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,bf_interval=2,requeue_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
MinJobAge=300
ReturnToService=2
NodeName=$node CPUs=2 RealMemory=$memory State=UNKNOWN
PartitionName=low Nodes=$node Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=5
PartitionName=high Nodes=$node MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
END
export SLURM_CONF=$folder/slurm.conf
munged --force --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
  --seed-file="$folder/munged.seed"
slurmctld
slurmd
for _ in $(seq 50); do
  sinfo --noheader --format=%T 2>/dev/null | grep -q idle && { echo "export SLURM_CONF=$SLURM_CONF"; exit 0; }
  sleep 0.2
done
echo "the node does not come up; see $folder/slurmctld.log and slurmd.log" >&2
exit 1
