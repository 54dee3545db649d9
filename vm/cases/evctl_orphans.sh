# shellcheck shell=bash
# evctl: a server killed: its device is an orphan, is listed, and cleaned or not (30 s)
# timeout: 180
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
# orphan [ARG...]: a device whose server is dead, and nobody cleans up after it
orphan() {
	demo_start --size 32M --no-broker "$@"
	kill -KILL "$DEMO_PID"
	wait_for 5 dead "$DEMO_PID" || fail "not reaped"
	wait "$DEMO_PID"
	DEMO_PID=
}
state() {
	jq -r ".devices[] | select(.id == $1) | .state" ctl.out
}
# is it in that state now, with nobody for a server?
has_state() {
	ctl_json 0 '.devices' orphans >/dev/null && [ "$(state "$1")" = "$2" ]
}

note "left behind"
demo_start --size 16M
alive=$ID pid=$DEMO_PID sock=$DEMO_SOCK log=$DEMO_LOG
orphan
dead1=$ID
wait_for 20 has_state "$dead1" DEAD || fail "not listed: $OUT"
ctl_json 0 "[.devices[].id] == [$dead1] and .devices[0].orphan and
	.devices[0].server.alive == false" orphans
ctl_json 0 ".cleaned == [$dead1]" orphans --clean
no_device "$dead1" || fail "not cleaned"
[ -b "/dev/ublkb$alive" ] || fail "the living one is gone"

note "waiting for a new server"
orphan --recovery requeue
wait_for 40 has_state "$ID" QUIESCED || fail "not listed: $OUT"
ctl 0 orphans --clean
says "device $ID: left alone, it waits for recover $ID"
[ -e "/dev/ublkc$ID" ] || fail "cleaned"
ctl 0 list
says "^$ID  *QUIESCED .* none  *root  *requeue"

note "and in use"
exec 9<"$DEV"
ctl_json 0 '.device.held' info "$ID"
ctl 0 orphans --clean --force
exec 9<&-
wait_for 20 no_device "$ID" || fail "not cleaned by force"
DEMO_PID=$pid DEMO_SOCK=$sock DEMO_LOG=$log ID=$alive
demo_stop
ctl 0 orphans --all
[ -z "$OUT" ] || fail "orphans? $OUT"
