{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
kube-proxy-folder:
  file.directory:
    - name: {{ kube_node.paths.kube_proxy }}
    - makedirs: True
{%- if kube_node.certificates.kube_proxy.from != 'node' %}
kube-proxy-certificate:
  kube_node_certificate.present:
    - name: kube_proxy
    - require:
      - sls: kube_node.certificates
{%- endif %}
{{ managed(kube_node.files.kube_proxy) }}
