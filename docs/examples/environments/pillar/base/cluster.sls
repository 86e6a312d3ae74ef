# What all nodes of production have in common.
kube_node:
  version: 1.34.2
  cluster:
    name: production
    api_server: https://10.0.0.10:6443
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
    name: containerd
  binaries:
    source: salt://kubernetes/v1.34.2
    sha256:
      kubelet: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      kube-proxy: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
