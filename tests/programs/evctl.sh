#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evctl as a process: what each command prints, for people and as JSON, its
# errors and its exit statuses.
# shellcheck disable=SC2154  # of evctl_lib.sh
# shellcheck source=tests/programs/evctl_lib.sh
. "$(dirname -- "$0")/evctl_lib.sh"

# --- list, info, features, affinity, owner
devs
run 0 list
check "heads" has '^ID  *STATE' out
check "row" has '^0  *LIVE  *256M  *1x128  *100 ublk-evdemo  *root  *none' out
check "recovery" has '^1  *QUIESCED .* none  *root  *reissue' out
[ "$(wc -l <out)" = 6 ] || complain "not five devices"
json 0 '.devices | length == 5 and .[0].server == {"alive": true,
	"pid": 100, "comm": "ublk-evdemo"} and .[1].orphan and
	.[1].recovery == "reissue" and .[3].ours == false and
	.[4].owner.uid == 1000 and .[0].held == false' list
rm -r root/sys/class/ublk-char/ublkc0
json 0 '.devices | length == 4' list
sed -i 's/^3 .*/& GET_DEV_INFO=1/' devs
run 7 list
check "unknown row" has '^3  *?' out
json 7 '.devices[2].error != null and .devices[1].state == "DEAD"' list
rm -r root/sys/class/ublk-char
json 0 '.devices == []' list
devs
run 0 info 0
check "info" has '^size:  *268435456 bytes' out
json 0 '.device.id == 1 and .device.params.logical_block_bytes == 512' info \
	/dev/ublkb1
check "unknown" [ "$(grep -c ^scheduler out)" = 0 ]
mkdir -p root/sys/block/ublkb0/queue
echo "[mq-deadline] none" >root/sys/block/ublkb0/queue/scheduler
run 0 info 0
check "scheduler" has '^scheduler: mq-deadline (none is faster)' out
json 0 '.devices[0].scheduler == "mq-deadline" and
	.devices[1].scheduler == null' list
run 3 info 9
check "no such" has 'no device 9' err
json 3 true info 9
run 0 features
check "features" has '^USER_COPY  *yes' out
FAKE_FEATURES=0x48 run 0 features
check "absent" has '^USER_COPY  *no' out
json 0 '.bits == 2097151 and (.features | index("USER_COPY"))' features
run 0 affinity 1
[ "$(cat out)" = "0: 0
1: 4-7,12-15" ] || complain "affinity"
json 0 '.queues[1] == {"queue": 1, "cpus": "4-7,12-15"}' affinity 1
run 0 owner 4
[ "$(cat out)" = "1000 1001" ] || complain "owner"
json 0 '.uid == 1000 and .gid == 1001' owner 4
run 1 owner 0
[ ! -s out ] || complain "owner of root's"

run 0 scheduler 0
[ "$(cat out)" = none ] || complain "scheduler"
run 0 scheduler 3
[ "$(cat out)" = none ] || complain "scheduler of a stranger's"
sed -i "s/^0 \(.*\) $ours /0 \1 ${ours%1}0 /" devs
run 0 scheduler 0
[ "$(cat out)" = kept ] || complain "scheduler kept"
json 0 '.kept == true' scheduler 0
run 3 scheduler 9
[ ! -s out ] || complain "scheduler of nothing"
devs

# --- stop, del
holds 0
run 4 stop 0
check "holder" has 'mounted on /mnt, seen by pid 1 (init)' err
check "not stopped" [ "$(state_of 0)" = LIVE ]
json 4 '.holders[0].kind == "mount" and .holders[0].what == "/mnt"' del 0
run 0 stop 0 --force
check "stopped" [ "$(state_of 0)" = DEAD ]
run 0 stop 0 --force
check "again" has 'is stopped' out
# nothing to look into: not taken for nobody
devs
rm -r root/proc
run 4 stop 0
check "unseen" has 'cannot see who uses it: .* --force$' err
run 4 del 0
check "not stopped" [ "$(state_of 0)" = LIVE ]
run 0 del 0 --force
check "deleted" [ -z "$(state_of 0)" ]
devs
run 0 stop 0 --safe
check "stopped" [ "$(state_of 0)" = DEAD ]
devs
sed -i 's/^0 .*/& TRY_STOP_DEV=95/' devs
run 5 stop 0 --safe
check "absent" has 'not in this kernel' err
run 0 stop 0
check "stopped" [ "$(state_of 0)" = DEAD ]
devs
sed -i 's/^0 .*/& TRY_STOP_DEV=16/' devs
run 4 --timeout 1 stop 0 --safe
# whom only the driver sees is a holder, too
for cmd in stop del; do
	run 4 --timeout 1 $cmd 0
	check "who" has 'somebody has /dev/ublkb0 open' err
	check "served on" [ "$(state_of 0)" = LIVE ]
done
json 0 true stop 0 --force
run 0 del 0 --force
check "deleted" [ -z "$(state_of 0)" ]
# what Linux 6.12 says of a command that it does not know, of a user's device
sed -i 's/^4 .*/& TRY_STOP_DEV=22/' devs
run 0 stop 4
check "stopped" [ "$(state_of 4)" = DEAD ]
# without a disk there is nothing to try (ublk_ctrl_try_stop_dev())
sed -i 's/^1 .*/& TRY_STOP_DEV=19/' devs
json 0 true del 1 --async
check "deleted" [ -z "$(state_of 1)" ]
run 3 del 0
sed -i 's/^2 .*/& DEL_DEV=1/' devs
run 7 del 2
# gone by itself; or another's by now, which lives
devs
sed -i 's/^2 .*/& DEL_DEV=19/' devs
run 0 del 2
FAKE_STOPPED="sed -i 's/^0 DEAD/0 LIVE/' devs" run 0 del 0 --force
check "another's" [ "$(state_of 0)" = LIVE ]
# no release knows DEL_DEV_ASYNC of an ordinary user's
sed -i 's/^4 .*/& DEL_DEV_ASYNC=22/' devs
run 0 del 4 --async
check "deleted" [ -z "$(state_of 4)" ]
# what does not end, all of it at once, each on a copy of its own
endless() { # COMMAND ARG...: without its answer
	local silent=$1
	shift
	mkdir "endless.$#.$silent"
	cp -a root devs "endless.$#.$silent"
	(cd "endless.$#.$silent" && FAKE_SILENT=$silent dir=$PWD \
		FAKE_DEVS=$PWD/devs run 6 --timeout 1 "$@") >"endless.$#.$silent.log" &
}
devs
endless DEL_DEV del 2
holds 2
endless DEL_DEV del 2 --force
endless STOP_DEV stop 4 --force
endless TRY_STOP_DEV stop 4
endless GET_DEV_INFO list
wait
cat endless.*.log
check "ended" [ ! -s <(cat endless.*.log) ]
check "who" has 'server has /dev/ublkc2 open' endless.2.DEL_DEV/err
check "advice" has 'del 2 --async' endless.3.DEL_DEV/err

# --- what others wrote: on no terminal as it is, and lost to no JSON
devs
holds 0
printf 'a\033[2J\377b\n' >root/proc/1/comm
printf '30 22 259:0 / /m\\033]0;x\\012device\\0400:\377 rw - ext4 /dev/x rw\n' \
	>root/proc/1/mountinfo
run 4 stop 0
check "one line" [ "$(wc -l <err)" = 1 ]
check "escaped" has 'mounted on /m\\x1b\]0;x\\x0adevice 0:\\xff, seen by' err
check "escaped" has '(a\\x1b\[2J\\xffb)' err
check "escaped" [ "$(LC_ALL=C grep -c "$(printf '[\033\377]')" out)" = 0 ]
json 4 '.holders[0].kind == "mount" and (.holders[0].what |
	contains("device 0:\\xff")) and (.error.text | contains("in use"))' stop 0
printf 'ev\033il\377\n' >root/proc/100/comm
run 0 list
check "escaped" has '100 ev\\x1bil\\xff' out
run 0 info 0
check "escaped" has '^server:  *100 ev\\x1bil\\xff' out
json 0 '.devices[0].server | .alive and .pid == 100 and
	(.comm | contains("il"))' list

# --- interrupted
FAKE_SILENT=TRY_STOP_DEV "$ctl" --root root stop 4 >out 2>err &
pid=$!
check "begun" await catches_sigterm $pid
kill $pid
wait $pid
check "interrupted" [ $? = 1 ]
check "interrupted" has 'interrupted' err

# --- quiesce
devs
run 0 quiesce 0
check "quiesced" [ "$(state_of 0)" = QUIESCED ]
sed -i 's/^4 \(.*\) 60 \(.*\)/4 \1 68 \2 QUIESCE_DEV=95/; s/^2 .*/& QUIESCE_DEV=16/' devs
run 5 quiesce 4
check "no cause of others" has 'needs Linux 6.16' err
json 4 true quiesce 2
# the driver keeps requests back then, so that trying again is no remedy
check "remedy" has 'end its server .*, then recover 2' out
devs
sed -i 's/^0 \(.*\) 40 \(.*\)/0 \1 8058 \2 QUIESCE_DEV=95/; s/^2 .*/& QUIESCE_DEV=95/' devs
run 5 quiesce 0
check "cause" has 'fetches in batches (--batch)' err
run 5 quiesce 2
check "cause" has 'made it without recovery' err

# --- orphans
devs
process 103 someone 2
ln -s /dev/ublkc3 root/proc/103/fd/5
run 0 orphans --all
[ "$(wc -l <out)" = 3 ] || complain "not two orphans"
rm root/proc/103/fd/5
json 0 '[.devices[].id] == [1, 2]' orphans
# who may not look into all processes does not call that nothing
mkdir -p root/proc/self/ns
ln -s 'pid:[4026532000]' root/proc/self/ns/pid
json 7 '.devices == []' orphans
check "remedy" has 'be root, outside of a container' out
rm -r root/proc/self
sed -i 's/^1 .*/& GET_DEV_INFO=13/' devs
json 7 '[.devices[].id] == [2]' orphans
devs
process 103 someone 2
json 0 '[.devices[].id] == [1, 2, 3]' orphans --all
holds 2
run 4 orphans --clean
check "said" has 'device 2: left alone, somebody uses it' err
check "said" has 'device 1: left alone, it waits for recover 1' out
check "kept" [ "$(wc -l <devs)" = 5 ]
json 0 '.cleaned == [1, 2]' orphans --clean --force
check "strangers stay" [ "$(state_of 3)" = DEAD ]
json 0 '.cleaned == [3]' orphans --clean --all
# each is looked at once more when those before it have gone
devs
process 103 someone 2
FAKE_DELETED="ln -sf /dev/ublkc3 root/proc/103/fd/5" \
	run 0 orphans --clean --all
check "deleted" [ -z "$(state_of 2)" ]
check "said" has 'device 3: left alone, it is no orphan any more' out
check "kept" [ "$(state_of 3)" = DEAD ]
devs
FAKE_DELETED="sed -i /^3/d devs" run 0 orphans --clean --all
check "said" has 'device 3: left alone, it is gone' out
devs
holds 3
mv root/proc/1/mountinfo mountinfo
: >root/proc/1/mountinfo
FAKE_DELETED="cp mountinfo root/proc/1" run 4 orphans --clean --all
check "said" has 'device 3: left alone, somebody uses it' err
check "kept" [ "$(state_of 3)" = DEAD ]

# --- no driver, no io_uring
FAKE_SUBMIT=2 run 3 features
[ -e /dev/ublk-control ] || check "remedy" has 'load the module' err
FAKE_SUBMIT=24 run 1 list
mv root/sys/class/ublk-char class
for cmd in list orphans; do
	FAKE_SUBMIT=2 json 3 '.devices == []' $cmd
	run 0 $cmd
done
mv class root/sys/class/ublk-char
for files in 4 5; do
	(ulimit -n $files && exec "$ctl" --root "$dir/root" list) >out 2>err
	check "status with $files" [ $? = 1 ]
	check "remedy" has '^ublk-evctl: .*: raise ulimit -n' err
done

# --- doctor
devs
export FAKE_FEATURES=0x1fffff
json 1 '.worst == "fault" and ([.checks[] | select(.name == "module")] | length)
	== 1' doctor
check "module" has '"ublk_drv is there"' out
run 1 doctor
check "lines" has '^fault  *control' out

# --- what is written about it: every option and command of --help, everywhere
# shellcheck disable=SC2013  # words
src=${abs_top_srcdir:-$(dirname "$0")/../..}
case $src in
/*) ;;
*) src=$OLDPWD/$src ;;
esac
run 0 --help
for word in $(grep -oE -- '--[a-z]+' out | sort -u); do
	check "completion" has "$word" "$src/completions/ublk-evctl"
	check "manual" has "Fl Fl ${word#--}" "$src/doc/ublk-evctl.1"
done
# shellcheck source=completions/ublk-evctl
. "$src/completions/ublk-evctl"
completed() { # expected, words...
	local want=$1
	shift
	COMP_WORDS=(ublk-evctl "$@") COMP_CWORD=$#
	_ublk_evctl
	check "completion of $*" [ "${COMPREPLY[*]}" = "$want" ]
}
completed "stop stats" st
completed "--safe" --json stop 1 --s
completed "--shrink --socket" resize 1 2G --s
completed "" stop 1 2
completed "" list --safe
completed "" --timeout st
for word in $(sed -n 's/^  \([a-z]*\) .*/\1/p' out); do
	check "manual" has "It Cm $word" "$src/doc/ublk-evctl.1"
	completed "$word" "$word"
done

# --- usage
for line in "" "nonsense" "info" "info x" "info 1 2" "resize 1" "resize 1 0" \
	"list --safe" "--timeout 0 list" "--timeout" "list -- x" "-x" \
	"stop 1 --safe --force" "resize 1 513" "resize 0 100"; do
	# shellcheck disable=SC2086
	run 2 $line
done
check "remedy" has "'100' is no multiple of 512 bytes: give a multiple" err
run 0 --help
check "help" has '^usage: ublk-evctl' out
run 0 --version
"$ctl" --root root list >/dev/full 2>err
check "full stdout" [ $? = 1 ]
"$ctl" --root root list >&- 2>err
check "closed stdout" [ $? = 0 ]

finish
