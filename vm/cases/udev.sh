# shellcheck shell=bash
# With udev probing each new node, devices come, are unmounted and go all the same (20 s)
udevd=/lib/systemd/systemd-udevd
[ -x $udevd ] || skip "no udevd on this machine"
! pgrep -f systemd-udevd >/dev/null || skip "udevd runs already"
$udevd >udevd.log 2>&1 &
udev=$!
trap 'kill $udev; wait $udev' EXIT
sleep 1
for i in 1 2 3 4 5; do
	demo_start --size 32M
	# What udev probes for, and what makes it look once more.
	mkfs.ext4 -q -F "$DEV" || fail "mkfs"
	t=$(seconds)
	demo_stop 15
	note "round $i: gone after $(since "$t") s"
done
udevadm settle -t 10 || fail "udev hangs"
