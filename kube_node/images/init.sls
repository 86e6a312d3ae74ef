# Images out of archives, before the kubelet asks for any.
{%- from "kube_node/map.jinja" import kube_node with context %}
include:
  - kube_node.runtime.{{ kube_node.runtime.name }}

images-loaded:
  kube_node.images_loaded:
    - archives: {{ kube_node.images.archives | json }}
    - require:
      - sls: kube_node.runtime.{{ kube_node.runtime.name }}
