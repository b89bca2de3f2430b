"""What is to be learned from segments: sets of ordinals and a generation in, small reports out.

overlap · overlap_by     how segments share customers, also per value
differ                   what tells a segment from everybody else, or from another one
drift                    who entered and left between two runs, and why
suggest · by_activity    segments worth having, as definitions
similar                  customers like the members of a segment
quick · size             values, percentiles and the exact size, before a segment is saved
"""
