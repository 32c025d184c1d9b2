"""Three systems of an Interspeech 2018 paper, trained straight from serprep stores.

Torch lives here only.  The path: store + split → loader → crnn → train → job → experiment → page → run.
"""
