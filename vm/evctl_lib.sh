# shellcheck shell=bash disable=SC2034  # OUT is for the case
# SPDX-License-Identifier: BSD-2-Clause
# vm/evctl_lib.sh: what the cases of ublk-evctl share; sourced after lib.sh.

[ -x "$UBLK_EVCTL" ] || fail "no $UBLK_EVCTL"

# ctl STATUS ARG...: runs ublk-evctl, which must end with that status. What it
# prints is in OUT, its errors in ERR: whole lines, and none when it succeeds.
ctl() {
	local want=$1 status=0
	shift
	timeout -k 1 100 "$UBLK_EVCTL" "$@" >ctl.out 2>ctl.err || status=$?
	OUT=$(cat ctl.out)
	ERR=$(cat ctl.err)
	note "[$*] -> $status${ERR:+: $ERR}"
	[ "$status" = "$want" ] || {
		cat ctl.out
		fail "ublk-evctl $*: status $status, not $want"
	}
	! grep -qv '^ublk-evctl: ' ctl.err || fail "ublk-evctl $*: $ERR"
	[ "$want" != 0 ] || [ -z "$ERR" ] || fail "ublk-evctl $*: $ERR"
}

# ctl_json STATUS FILTER ARG...: the same with one line of JSON in OUT, for which
# jq's FILTER must hold
ctl_json() {
	local want=$1 filter=$2
	shift 2
	ctl "$want" --json "$@"
	[ "$(wc -l <ctl.out)" = 1 ] || fail "ublk-evctl $*: no line of JSON"
	jq -e "$filter" ctl.out >/dev/null || {
		cat ctl.out
		fail "ublk-evctl --json $*: not $filter"
	}
}

# says WHAT: OUT must have it. complains WHAT: ERR must have it.
says() {
	echo "$OUT" | grep -qE -- "$1" || fail "does not say '$1': $OUT"
}
complains() {
	echo "$ERR" | grep -qE -- "$1" || fail "does not complain '$1': $ERR"
}

# udev_start: runs udevd with our rule, and makes group ublk; UDEV is the process
udev_start() {
	local udevd=/lib/systemd/systemd-udevd
	[ -x $udevd ] || skip "no udevd on this machine"
	! pgrep -f systemd-udevd >/dev/null || skip "udevd runs already"
	grep -q '^ublk:' /etc/group || groupadd --system ublk || fail "groupadd"
	# a program that was not installed wants to know where its library is
	mkdir -p /etc/udev/rules.d
	sed "s|PROGRAM=\"[^ ]*/ublk-evctl |PROGRAM=\"/usr/bin/env \
LD_LIBRARY_PATH=${LD_LIBRARY_PATH-} $UBLK_EVCTL |" \
		"$BUILD/src/udev/60-ublk-ev.rules" \
		>/etc/udev/rules.d/60-ublk-ev.rules || fail "no rule"
	$udevd >udevd.log 2>&1 &
	UDEV=$!
	wait_for 10 test -S /run/udev/control || fail "udevd: $(cat udevd.log)"
	udevadm trigger --action=add --name-match=ublk-control
	udevadm settle -t 20 || fail "udev hangs"
}

udev_stop() {
	kill "$UDEV"
	wait "$UDEV"
	rm -f /etc/udev/rules.d/60-ublk-ev.rules
}
