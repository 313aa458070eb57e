"""What makes Services of a lab reachable: kube-proxy, by NGINX's stream module."""
