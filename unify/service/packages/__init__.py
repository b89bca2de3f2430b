"""Data packages over HTTP: the vendor's package API, its recurring half, and the files that both move.

    POST …/data/DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities.<Name>     room.py, actions.py
    GET, POST …/data/DataManagement…                                                      sets.py
    POST, GET …/api/connector/{enqueue,dequeue,ack}/{activityId}                          connector.py
    PUT, GET, HEAD /dmf/{instance}/{file}?…&sig=…                                         files_room.py: no credential
                                                                                          but the signature
    imports and exports are executions of unify.packages; the service's database has the queue of them (queue.py), the
    runner of jobs starts a process for each (runner.py, work.py)

docs/service-packages.md
"""
