{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
certificates-folder:
  file.directory:
    - name: {{ kube_node.paths.certificates }}
    - user: root
    - group: root
    - mode: '0700'
    - makedirs: True

# Before the CA file is replaced: what it was says which certificates are of a CA that goes.
kubelet-certificate:
  kube_node_certificate.{{ 'present' if kube_node.certificates.mode == 'static' else 'carried_over' }}:
    - name: kubelet
    - require:
      - file: certificates-folder
    - require_in:
      - file: cluster-ca
{{ managed(kube_node.files.certificates) }}
