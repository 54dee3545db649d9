# shellcheck shell=bash
# udev's rule: the control node is group ublk's, root's devices stay root's (15 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
mode() {
	stat -c '%U:%G %a' "$1"
}
before=$(mode /dev/ublk-control)
udev_start
trap 'udev_stop' EXIT
[ "$(mode /dev/ublk-control)" = "root:ublk 660" ] ||
	fail "control: $(mode /dev/ublk-control), was $before"
demo_start --size 16M
udevadm settle -t 20 || fail "udev hangs"
[ "$(stat -c %U "/dev/ublkc$ID")" = root ] || fail "whose is ublkc?"
[ "$(stat -c %U "$DEV")" = root ] || fail "whose is $DEV?"
ctl 0 doctor
says '^ok  *udev: /etc/udev'
demo_stop
