# shellcheck shell=bash
# A second SIGTERM stops a mounted device at once; so does --stop-timeout (12 s)
mkdir mnt
trap 'mountpoint -q mnt && umount -l mnt' EXIT
mounted() {
	demo_start --size 64M "$@"
	mkfs.ext4 -q "$DEV" || fail "mkfs"
	mount "$DEV" mnt || fail "mount"
	kill -TERM "$DEMO_PID"
	# shellcheck disable=SC2317
	told() {
		grep -q "is in use" "$DEMO_LOG"
	}
	wait_for 10 told || fail "does not say that it is in use"
}
# The disk is stopped, but its number is free only when the mount is gone:
# that is the kernel's, and the daemon may or may not wait for it.
ended() {
	# shellcheck disable=SC2317
	stopped() {
		! timeout -k 1 5 dd if="$DEV" of=/dev/null bs=4k count=1 \
			skip=1000 iflag=direct status=none 2>/dev/null
	}
	wait_for 15 stopped || fail "still served"
	umount -l mnt
	wait_for 15 dead "$DEMO_PID" || fail "still there"
	wait "$DEMO_PID" || note "status $?: $(tail -n1 "$DEMO_LOG")"
	wait_for 10 no_device "$ID" || fail "device $ID is left"
	DEMO_PID=
}
t=$(seconds)
mounted --stop-timeout 60
kill -TERM "$DEMO_PID"
ended
took=$(since "$t")
note "second signal: $took s"
less "$took" 30 || fail "waited for the time-out"
mounted --stop-timeout 1
ended
