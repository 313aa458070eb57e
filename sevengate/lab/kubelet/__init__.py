"""What makes nodes of a lab's names and processes of its pods: a kubelet, as a plain client of the API."""
