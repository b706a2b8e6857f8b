"""Federated training: sites train on their own pages or signals, and only weights and counts leave a site.

Flower (Beutel et al., arXiv 2007.14390) has the messages, the strategies and the transport; the training at a site is
the loop of :mod:`ecglens.models.train`. Needs the extra ``federate``.
"""
