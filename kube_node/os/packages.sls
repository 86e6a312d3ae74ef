# Programs that kubelet, kube-proxy and network plugins call. An empty list in the pillar leaves them to somebody else.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- if salt["file.find"]("/var/lib/dpkg/updates", type="f", name="[0-9]*") %}
# dpkg was killed, perhaps with an earlier run: apt installs nothing before this.
interrupted-packages-configured:
  cmd.run:
    - name: dpkg --configure --pending --force-confdef --force-confold
    - env:
      - DEBIAN_FRONTEND: noninteractive
    - require_in:
      - node-packages
{% endif %}
node-packages:
{%- if kube_node.os.packages %}
  pkg.installed:
    - pkgs: {{ kube_node.os.packages | json }}
    # Where one is provided by another's name, as iptables by iptables-nft; apt pays no heed.
    - resolve_capabilities: True
{%- else %}
  test.nop
{%- endif %}
