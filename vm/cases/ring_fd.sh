# shellcheck shell=bash
# --ring-fd: requests served, device stopped, killed, recovered and resized as by the eventfd (90 s)
# timeout: 900

demo_start --size 16M --ring-fd
# what its loop's epoll instances watch
watched=$(for e in "/proc/$DEMO_PID/fd"/*; do
	[ "$(readlink "$e")" = "anon_inode:[eventpoll]" ] || continue
	sed -n 's/^tfd: *\([0-9]*\).*/\1/p' "/proc/$DEMO_PID/fdinfo/${e##*/}"
done | while read -r fd; do
	readlink "/proc/$DEMO_PID/fd/$fd"
done)
[[ $watched = *"[io_uring]"* ]] || fail "the loop watches only: ${watched//$'\n'/ }"
demo_stop

ROUNDS=4 with_args "--ring-fd" fio_verify stop_load kill9 recover_reissue resize
with_args "--ring-fd --threads --queues 2" fio_queues stop_load
! has_feature BATCH_IO || with_args "--ring-fd --batch" fio_queues
