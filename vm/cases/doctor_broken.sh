# shellcheck shell=bash
# doctor names what is broken: no module, io_uring off, no permission, few files (15 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
note "io_uring forbidden"
if [ -e /proc/sys/kernel/io_uring_disabled ]; then
	trap 'echo 0 >/proc/sys/kernel/io_uring_disabled' EXIT
	echo 2 >/proc/sys/kernel/io_uring_disabled
	ctl 1 doctor
	says '^fault  *io_uring: .*io_uring_disabled is 2'
	ctl 7 features
	complains 'io_uring is disabled'
	ctl_json 7 '.error.status == 7' features
	echo 0 >/proc/sys/kernel/io_uring_disabled
fi

note "no permission"
# nobody may not be able to look into the build tree.
mkdir -m 755 /tmp/nobody
cp "$UBLK_EVCTL" /tmp/nobody/
[ -z "${LD_LIBRARY_PATH-}" ] || cp "$LD_LIBRARY_PATH"/*.so.* /tmp/nobody/
chmod -R a+rX /tmp/nobody
cat >nobody <<'END'
#!/bin/sh
LD_LIBRARY_PATH=/tmp/nobody exec setpriv --reuid=65534 --regid=65534 \
	--clear-groups /tmp/nobody/ublk-evctl "$@"
END
chmod +x nobody
bin=$UBLK_EVCTL
demo_start --size 16M
UBLK_EVCTL=$PWD/nobody
ctl 1 doctor
says '^fault  *control: no permission'
says '^warning  *privilege'
ctl 7 list
complains 'root'
ctl 7 stop "$ID"
ctl 7 features
UBLK_EVCTL=$bin
rm -r /tmp/nobody
demo_stop

note "few files"
cat >few <<END
#!/bin/sh
exec prlimit --nofile=30:30 $bin "\$@"
END
chmod +x few
UBLK_EVCTL=$PWD/few
ctl 0 doctor
says '^warning  *files: 30 descriptors'
UBLK_EVCTL=$bin

note "the module is not loaded"
rmmod ublk_drv || fail "rmmod: something still uses the module"
trap 'modprobe ublk_drv' EXIT
ctl 1 doctor
says '^fault  *module: ublk_drv is not loaded: modprobe ublk_drv'
says '^fault  *control'
ctl 3 features
complains 'modprobe ublk_drv'
ctl 3 list
complains 'modprobe ublk_drv'
[ -z "$OUT" ] || fail "devices? $OUT"
modprobe ublk_drv || fail "modprobe"
ctl 0 features
