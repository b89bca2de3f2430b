"""At the speed of memory: what a snapshot can answer, without SQL. docs/service-speed.md"""
