# shellcheck shell=bash
# --threads: what other cases ask of recovery, upgrade, resize and stops (120 s)
# timeout: 1200
ROUNDS=4 with_args "--threads" recover_reissue upgrade
with_args "--threads --queues 2" resize evctl_stop stop_mounted fio_verify \
	statistics
with_args "--threads --queues 4 --no-broker" kill9 stop_load
! has_feature BATCH_IO ||
	with_args "--threads --queues 2 --batch" fio_queues discard stop_load
