#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the tests of ublk-evctl as a process share, which is linked with
# tests/lib/fake_cmd.c: sourced by evctl*.sh, each of which ends with finish.
# shellcheck disable=SC2034,SC2317  # used, and called, by who sources this
ctl=$(realpath "${1:-tests/programs/fake_evctl}") || exit 1
demo=$(realpath "${2:-tests/programs/fake_evdemo}") || exit 1
# make check -j tells its children, and none of them is make
unset MAKEFLAGS
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0
me=${0##*/}
jq=$(command -v jq) || echo "$me: no jq: JSON NOT TESTED"

complain() {
	echo "FAIL: $*"
	sed 's/^/    /' out err 2>/dev/null
	failed=1
}
check() { # what, condition...
	local what=$1
	shift
	"$@" || complain "$what: $*"
}
has() { grep -q -- "$1" "$2"; }
await() { # condition...: for up to 60 s, on a busy machine
	local i
	for ((i = 0; i < 3000; i++)); do
		"$@" 2>/dev/null && return 0
		sleep .02
	done
	return 1
}
catches_sigterm() { # pid
	local caught
	caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
	[ -n "$caught" ] && ((0x$caught >> 14 & 1))
}

# run STATUS ARG...: stdout is in out, stderr in err; one line there if it fails
run() {
	local want=$1 status=0
	shift
	"$ctl" --root "$dir/root" "$@" >out 2>err || status=$?
	[ $status = "$want" ] || complain "[$*] ended with $status, not $want"
	if [ "$want" = 0 ]; then
		[ ! -s err ] || complain "[$*] wrote to stderr"
	elif [ "${*: -1}" != doctor ] && ! grep -q '^ublk-evctl: ' err ||
	    grep -qv '^ublk-evctl: ' err; then
		complain "[$*] not our lines on stderr"
	fi
}

# json STATUS FILTER ARG...: one object of our schema, for which FILTER is true
json() {
	local want=$1 filter=$2 all
	shift 2
	run "$want" --json "$@"
	[ "$(wc -l <out)" = 1 ] || complain "[--json $*] is not one line"
	[ -n "$jq" ] || return 0
	all=".schema == 1 and .command == \"$1\" and .status == $want"
	[ "$want" = 0 ] || [ "$1" = doctor ] ||
		all="$all and .error.status == $want and .error.text != \"\""
	jq -e "$all and ($filter)" out >/dev/null ||
		complain "[--json $*] not: $all and ($filter)"
}

ours=75626c6b2d657631
export FAKE_DEVS=$dir/devs
# id state pid features tag bytes queues: served, waiting, left, a stranger's,
# an ordinary user's
devs() {
	mkdir -p root/proc root/run/ublk-ev root/sys/class/ublk-char
	rm -rf root/proc/* root/sys/class/ublk-char/*
	cat >devs <<-END
	0 LIVE 100 40 $ours 268435456 1
	1 QUIESCED -1 58 $ours 1073741824 2
	2 DEAD -1 40 $ours 1048576 1
	3 DEAD -1 40 0 1048576 1
	4 LIVE 104 60 $ours 1048576 1
	END
	mkdir root/sys/class/ublk-char/ublkc{0,1,2,3,4}
	process 1 init 1
	process 100 ublk-evdemo 2
	process 104 ublk-evdemo 2
	ln -s /dev/ublkc0 root/proc/100/fd/7
	ln -s /dev/ublkc4 root/proc/104/fd/7
}
process() { # pid comm ns
	mkdir -p "root/proc/$1/fd" "root/proc/$1/ns"
	echo "$2" >"root/proc/$1/comm"
	echo "$1 ($2) S 1 1 1 0 -1 1572864 0 0" >"root/proc/$1/stat"
	ln -s "mnt:[$3]" "root/proc/$1/ns/mnt"
	echo "22 1 254:0 / / rw - ext4 /dev/vda rw" >"root/proc/$1/mountinfo"
}
# holds ID: /dev/ublkbID is mounted
holds() {
	mkdir -p "root/sys/class/block/ublkb$1/holders"
	echo "259:$1" >"root/sys/class/block/ublkb$1/dev"
	echo "30 22 259:$1 / /mnt rw - ext4 /dev/ublkb$1 rw" \
		>>root/proc/1/mountinfo
}
state_of() { awk -v id="$1" '$1 == id { print $2 }' devs; }
finish() {
	[ $failed = 0 ] && echo "$me: all passed"
	exit $failed
}
