"""The spellings of a segment's condition: one tree, said in four ways.

    tree ── tree_json ──▶ JSON, YAML        (segments/predicates)
         ── odata_text ─▶ OData filter text
         ── sentence ───▶ a sentence        (segments/predicates/sentence.py)

and back: from_json, filter_of_text (segments/odata/binding/bind.py), expression_of_sentence. What each can say stands
in docs/spellings.md.
"""
