# shellcheck shell=bash
# No module, number taken, no permission, no io_uring, no fds: status 1, cause, remedy (15 s)
says() {
	echo "$REFUSAL" | grep -q -i -E "$1" || fail "the line lacks '$1'"
}
note "number taken"
demo_start --size 16M
demo_refuses 1 --size 16M --id "$ID"
says 'exists|taken'
dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct status=none ||
	fail "the first one suffers"
demo_stop

note "no such device to delete"
demo_refuses 1 --delete 4711
says 'no such'

note "no permission"
# nobody may not be able to look into the build tree.
bin=$UBLK_EVDEMO
mkdir -m 755 /tmp/nobody
cp "$bin" /tmp/nobody/ublk-evdemo
[ -z "${LD_LIBRARY_PATH-}" ] || cp "$LD_LIBRARY_PATH"/*.so.* /tmp/nobody/
chmod -R a+rX /tmp/nobody
chmod 755 .. .
UBLK_EVDEMO=/tmp/nobody/ublk-evdemo
DEMO_WRAP="env LD_LIBRARY_PATH=/tmp/nobody setpriv --reuid=65534 --regid=65534
	--clear-groups"
demo_refuses 1 --size 16M
says 'root|permission'
rm -r /tmp/nobody
UBLK_EVDEMO=$bin
unset DEMO_WRAP

note "io_uring forbidden"
if [ -e /proc/sys/kernel/io_uring_disabled ]; then
	echo 2 >/proc/sys/kernel/io_uring_disabled
	trap 'echo 0 >/proc/sys/kernel/io_uring_disabled' EXIT
	demo_refuses 1 --size 16M
	echo 0 >/proc/sys/kernel/io_uring_disabled
	says 'io_uring_disabled'
fi

note "too few file descriptors"
for n in 6 8; do
	# shellcheck disable=SC2034  # for demo_refuses
	DEMO_WRAP="prlimit --nofile=$n:$n"
	demo_refuses 1 --size 16M
	says 'ulimit -n|too many open'
done
unset DEMO_WRAP

note "the module is not loaded"
rmmod ublk_drv || fail "rmmod: something still uses the module"
trap 'modprobe ublk_drv' EXIT
demo_refuses 1 --size 16M
says 'modprobe ublk_drv'
modprobe ublk_drv || fail "modprobe"
demo_start --size 16M
demo_stop
