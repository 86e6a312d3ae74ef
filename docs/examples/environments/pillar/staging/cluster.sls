# What all nodes of staging have in common: the next version, on Docker.
kube_node:
  version: 1.36.2
  cluster:
    name: staging
    api_server: https://10.1.0.10:6443
    service_cidr: 10.69.0.0/16
    pod_cidr: 172.21.0.0/16
    ca: |
      -----BEGIN CERTIFICATE-----
      MIIBLDCB1KADAgECAgEBMAoGCCqGSM49BAMCMBUxEzARBgNVBAMMCmt1YmVybmV0
      ZXMwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBUxEzARBgNVBAMM
      Cmt1YmVybmV0ZXMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS/VR+lSV8I503Y
      tT8n/LNubQmrXtQl2jhw3MFjAdp5USWHYWruXH7JQwYUPbjQw3CisT+moe6IRm2q
      fxUWZgdnoxMwETAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIG6T
      dJeuWqXRV7+oW3iEJztgVyJVwuSFTG41vdXAZvGFAiAJ+/fK4vLFeSmZpeEyDR1e
      NP2zQbg47Df7ql2+Hb28/Q==
      -----END CERTIFICATE-----
  runtime:
    name: docker
  binaries:
    source: salt://kubernetes/v1.36.2
    sha256:
      kubelet: cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
      kube-proxy: dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
      cri-dockerd: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
