module comb/etcd_3_6

go 1.24

require go.etcd.io/etcd/server/v3 v3.6.5
