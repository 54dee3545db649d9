# shellcheck shell=bash
# a server that cannot see who uses its disk does not stop a mounted one (20 s)
# timeout: 180
# still_served PID LOG: it was told to end, says why it does not, and serves on
still_served() {
	kill -TERM "$1"
	wait_for 20 grep -q "is in use\|cannot see" "$2" || fail "it is silent"
	note "$(head -n1 "$2")"
	sleep 2
	! dead "$1" || fail "it stopped a mounted disk"
	dd if=/dev/zero of=mnt/file bs=64k count=4 conv=fsync status=none ||
		fail "a write to a mounted disk"
}

mkdir mnt
trap 'mountpoint -q mnt && umount -l mnt' EXIT
for what in "no /proc" "few files"; do
	: >blind.out
	# shellcheck disable=SC2016  # the other shell's
	case $what in
	"no /proc")
		set -- unshare -m --propagation private bash -c \
			'umount -l /proc; exec "$@"' bash ;;
	*)
		set -- bash -c 'ulimit -n 13; exec "$@"' bash ;;
	esac
	"$@" "$UBLK_EVDEMO" --size 32M --control none --stop-timeout 60 \
		>blind.out 2>blind.log &
	server=$!
	wait_for 20 grep -q ublkb blind.out || fail "$what: $(cat blind.log)"
	DEV=$(cat blind.out)
	mkfs.ext4 -q "$DEV" || fail "mkfs"
	mount "$DEV" mnt || fail "mount"
	still_served $server blind.log
	umount mnt || fail "umount"
	kill -TERM $server
	wait_for 20 dead $server || fail "$what: it does not end"
	wait $server || fail "$what: status $?: $(tail -n1 blind.log)"
	no_device "${DEV#/dev/ublkb}" || fail "$what: the device is left"
done
