# shellcheck shell=bash
# udev's rule: an ordinary user's device is that user's, root's stay root's (25 s)
# timeout: 180
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
mode() {
	stat -c '%u:%g %a' "$1"
}
group() {
	getent group ublk | cut -d: -f3
}
udev_start
trap 'udev_stop; rm -f /etc/udev/rules.d/50-keep.rules' EXIT
[ "$(mode /dev/ublk-control)" = "0:$(group) 660" ] ||
	fail "control: $(mode /dev/ublk-control)"
demo_start --size 16M
udevadm settle -t 20 || fail "udev hangs"
[ "$(mode "/dev/ublkc$ID" | cut -d' ' -f1)" = 0:0 ] || fail "whose is ublkc?"
[ "$(mode "$DEV" | cut -d: -f1)" = 0 ] || fail "whose is $DEV?"
ctl 0 doctor
says '^ok  *udev: /etc/udev'

note "no scheduler, unless a rule before ours wants the kernel's"
modprobe mq-deadline 2>/dev/null
scheduler() {
	grep -o '\[.*\]' "/sys/block/ublkb$1/queue/scheduler"
}
[ "$(scheduler "$ID")" = "[none]" ] || fail "scheduler: $(scheduler "$ID")"
ctl_json 0 '.device.scheduler == "none"' info "$ID"
if echo mq-deadline >"/sys/block/ublkb$ID/queue/scheduler"; then
	# what was written later stays
	udevadm trigger --action=change --name-match="$DEV"
	udevadm settle -t 20 || fail "udev hangs"
	[ "$(scheduler "$ID")" = "[mq-deadline]" ] || fail "it was written anew"
	ctl 0 doctor
	says "^warning  *scheduler: device $ID has mq-deadline"
fi
demo_stop
demo_start --size 16M --keep-scheduler
udevadm settle -t 20 || fail "udev hangs"
note "its server wants the kernel's: $(scheduler "$ID")"
wants=$(scheduler "$ID")
demo_stop
keep=/etc/udev/rules.d/50-keep.rules
echo 'KERNEL=="ublkb*", ENV{UBLK_EV_KEEP_SCHEDULER}="1"' >$keep
udevadm control --reload
demo_start --size 16M --no-broker
udevadm settle -t 20 || fail "udev hangs"
note "kept: $(scheduler "$ID")"
kept=$(scheduler "$ID")
rm $keep
udevadm control --reload
udevadm trigger --action=add --name-match="$DEV"
udevadm settle -t 20 || fail "udev hangs"
[ "$(scheduler "$ID")" = "[none]" ] || fail "scheduler: $(scheduler "$ID")"
[ "$wants" = "$kept" ] || fail "its server wanted the kernel's: $wants"
[ "$kept" != "[none]" ] || note "this kernel chooses none by itself"
roots=$ID pid=$DEMO_PID sock=$DEMO_SOCK log=$DEMO_LOG

note "an ordinary user's"
# who may not be able to look into the build tree
user=/tmp/user
mkdir -m 755 $user
cp "$UBLK_EVDEMO" "$UBLK_EVCTL" $user/
[ -z "${LD_LIBRARY_PATH-}" ] || cp "$LD_LIBRARY_PATH"/*.so.* $user/
chmod -R a+rX $user
# as UID GROUPS COMMAND...
as() {
	local uid=$1 groups=$2
	shift 2
	env LD_LIBRARY_PATH=$user setpriv --reuid="$uid" --regid="$uid" \
		--groups="$groups" "$@"
}
as 4001 "$(group)" $user/ublk-evdemo --unprivileged --size 16M --control none \
	>user.out 2>user.log &
server=$!
# shellcheck disable=SC2317
is_live() {
	grep -q . user.out || dead $server
}
wait_for 30 is_live || fail "no device: $(cat user.log)"
DEV=$(cat user.out)
[ -n "$DEV" ] || fail "no device: $(cat user.log)"
ID=${DEV#/dev/ublkb}
udevadm settle -t 20 || fail "udev hangs"
[ "$(mode "/dev/ublkc$ID")" = "4001:4001 600" ] ||
	fail "ublkc$ID: $(mode "/dev/ublkc$ID")"
[ "$(mode "$DEV")" = "4001:4001 600" ] || fail "$DEV: $(mode "$DEV")"
ctl 0 owner "$ID"
[ "$OUT" = "4001 4001" ] || fail "owner: $OUT"
ctl_json 0 ".devices[] | select(.id == $ID) | .owner.uid == 4001" list
ctl 0 list
says "^$ID .* 4001 "
bin=$UBLK_EVCTL
# user_ctl UID STATUS ARG...
user_ctl() {
	local uid=$1
	shift
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec setpriv --reuid=%s --regid=%s \
--groups=%s %s/ublk-evctl "$@"\n' $user "$uid" "$uid" "$(group)" $user >as_user
	chmod +x as_user
	UBLK_EVCTL=$PWD/as_user
	ctl "$@"
	UBLK_EVCTL=$bin
}
note "somebody else is refused, and with root's device"
user_ctl 4002 7 info "$ID"
user_ctl 4002 7 stop "$ID"
user_ctl 4001 7 stop "$roots"
note "its owner is not"
user_ctl 4001 0 info "$ID"
user_ctl 4001 0 affinity "$ID"
user_ctl 4001 0 del "$ID"
wait_for 20 dead $server || fail "the server does not end"
wait $server
wait_for 10 no_device "$ID" || fail "the device stays"
rm -r $user
DEMO_PID=$pid DEMO_SOCK=$sock DEMO_LOG=$log ID=$roots DEV=/dev/ublkb$roots
demo_stop
