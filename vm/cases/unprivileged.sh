# shellcheck shell=bash
# An ordinary user's device, from --unprivileged to its end; others are refused (15 s)
# timeout: 150
udevd=/lib/systemd/systemd-udevd
[ -x $udevd ] || skip "no udevd on this machine"
! pgrep -f systemd-udevd >/dev/null || skip "udevd runs already"
user=nobody
other=daemon
rule=/run/udev/rules.d/60-ublk-ev.rules
mkdir -p ${rule%/*}
# The rule that ublk-ev ships asks the driver whose a device is; in its place
# one that knows.
cat >$rule <<END
SUBSYSTEM=="misc", KERNEL=="ublk-control", MODE="0666"
SUBSYSTEM=="ublk-char", KERNEL=="ublkc[0-9]*", OWNER="$user", MODE="0600"
SUBSYSTEM=="block", KERNEL=="ublkb[0-9]*", OWNER="$user", MODE="0600"
END
$udevd >udevd.log 2>&1 &
udev=$!
trap 'kill $udev; wait $udev; rm -f $rule; chmod 600 /dev/ublk-control' EXIT
sleep 1
chmod 666 /dev/ublk-control
# The build tree may be where an ordinary user cannot read.
chmod 755 . ..
mkdir bin
cp "$UBLK_EVDEMO" bin/ublk-evdemo
[ -z "${LD_LIBRARY_PATH-}" ] || cp "$LD_LIBRARY_PATH"/libublkev.so.0 bin/
export LD_LIBRARY_PATH=$PWD/bin
UBLK_EVDEMO=$PWD/bin/ublk-evdemo
as_user=(setpriv --reuid "$user" --regid "$(id -g $user)" --clear-groups
	--inh-caps=-all)
as_other=(setpriv --reuid "$other" --regid "$(id -g $other)" --clear-groups
	--inh-caps=-all)
mkdir -m 700 xdg
chown "$user:$(id -gn $user)" xdg
: >un.out
XDG_RUNTIME_DIR=$PWD/xdg "${as_user[@]}" "$UBLK_EVDEMO" --unprivileged --size 16M \
	--pidfile "$PWD/xdg/pid" >un.out 2>un.log &
pid=$!
# shellcheck disable=SC2317
un_live() {
	grep -q . un.out || dead "$pid"
}
wait_for 30 un_live || fail "no device after 30 s"
DEV=$(head -n1 un.out)
[ -n "$DEV" ] || fail "no device: $(tail -n1 un.log)"
ID=${DEV#/dev/ublkb}
[ "$(ps -o user= -p $pid)" = $user ] || fail "not an ordinary user's process"
[ -S "xdg/ublk-ev/ublkb$ID.sock" ] || fail "no control socket"
udevadm settle -t 10
random_file ref $((1 << 20))
chmod 644 ref
"${as_user[@]}" dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
"${as_user[@]}" cmp -n $((1 << 20)) ref "$DEV" || fail "the data"
! "${as_other[@]}" dd if="$DEV" of=/dev/null bs=4k count=1 2>dd.err ||
	fail "another user reads it"
# Another user has no way to the device, nor has this one to root's.
! "${as_other[@]}" "$UBLK_EVDEMO" --no-broker --delete "$ID" >del.out 2>&1 ||
	fail "another user deleted it"
! dead $pid || fail "another user ended it"
grep -q "is another user's" del.out || fail "not said whose: $(cat del.out)"
[ "$(wc -l <del.out)" = 1 ] || fail "more than one line: $(cat del.out)"
demo_start --size 16M
! "${as_user[@]}" "$UBLK_EVDEMO" --no-broker --delete "$ID" >del.out 2>&1 ||
	fail "an ordinary user deleted root's device"
cat del.out
[ "$(stat_of .state)" = LIVE ] || fail "root's device"
demo_stop
"${as_user[@]}" kill -TERM $pid
wait_for 20 dead $pid || fail "does not end"
wait $pid || fail "ended with $?: $(tail -n1 un.log)"
no_device "${DEV#/dev/ublkb}" || fail "the device is left"
# And one that is killed: its broker, the user's as well, deletes it.
: >un.out
"${as_user[@]}" "$UBLK_EVDEMO" --unprivileged --size 16M >un.out 2>un.log &
pid=$!
wait_for 30 un_live || fail "no device after 30 s"
ID=$(sed 's/.*ublkb//' un.out)
[ -n "$ID" ] || fail "no device: $(tail -n1 un.log)"
kill -KILL $pid
wait $pid
wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
# Root need not say whose it is.
: >un.out
"${as_user[@]}" "$UBLK_EVDEMO" --unprivileged --size 16M >un.out 2>un.log &
pid=$!
wait_for 30 un_live || fail "no device after 30 s"
ID=$(sed 's/.*ublkb//' un.out)
"$UBLK_EVDEMO" --delete "$ID" || fail "root cannot delete it"
no_device "$ID" || fail "device $ID is still there"
wait $pid && fail "its server does not say that it was ended"
wait_for 10 no_broker || fail "the broker is still there"
