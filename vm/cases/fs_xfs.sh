# shellcheck shell=bash
# xfs on it: a tree unpacked, compared, and again after a remount (20 s)
# timeout: 240
demo_start --size 320M
file_system "mkfs.xfs -q" "xfs_repair -n"
demo_stop
