from hypothesis import settings

settings.register_profile("patient", deadline=None)  # machines that run tests do other work beside
settings.load_profile("patient")
