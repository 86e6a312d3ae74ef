{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import restarted_if_owed with context %}
{{ restarted_if_owed("docker") }}
# Docker makes its socket itself; one that the package had systemd make would keep who calls early waiting for ever.
docker-socket-left-to-docker:
  service.dead:
    - name: docker.socket
    - enable: False
    {%- if kube_node.binaries.runtime %}
    # Perhaps of a package that was there before. Of a unit that is not there a test run says that it might stop it.
    - onlyif:
      - fun: service.available
        args: [docker.socket]
    {%- endif %}
    - require:
      - sls: kube_node.runtime.docker.install
      - module: docker-units-reloaded

# Apart from running: a state that enables its service does not restart it for what it watches.
docker-service-enabled:
  service.enabled:
    - name: docker
    - require:
      - module: docker-units-reloaded

docker-service-running:
  service.running:
    - name: docker
    - require:
      - service: docker-socket-left-to-docker
      - service: docker-service-enabled
    - watch:
      - file: docker-config
      - file: docker-unit
      - sls: kube_node.os.proxy
      {%- if kube_node.binaries.runtime %}
      - kube_node: docker-installed
      {%- endif %}
{% if kube_node.runtime.unit == "cri-docker.service" %}
# What stands between the kubelet and Docker from Kubernetes 1.24 on.
{{ restarted_if_owed("cri-docker") }}
cri-docker-socket-running:
  service.running:
    - name: cri-docker.socket
    - enable: True
    - require:
      - service: docker-service-running
    - watch:
      - file: cri-docker-socket-unit

cri-docker-service-running:
  service.running:
    - name: cri-docker
    - enable: True
    - require:
      - service: cri-docker-socket-running
    - watch:
      - kube_node: cri-dockerd-installed
      - file: cri-docker-unit
{% endif %}
