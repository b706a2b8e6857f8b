"""Texts that reach gettext as variables, listed here so that ``makemessages`` finds them.

They come from packages that do not translate, and from tables. The second tuple lists texts of django-allauth: its
German addresses people as "du" on some pages and as "Sie" on others, so that ecglens has translations of its own.
"""

from django.utils.translation import gettext_noop as _
from django.utils.translation import pgettext_lazy

from ecglens.explanations import WORDS

__all__ = ["ALLAUTH", "CHECK_RESULTS", "TEXTS", "translate_check_result"]

TEXTS: tuple[str, ...] = (
    _("Normal"),
    _("Myocardial infarction"),
    _("History of myocardial infarction"),
    _("Abnormal heartbeat"),
    _("Normal ECG"),
    _("Myocardial infarction, new or old"),
    _("ST or T wave change"),
    _("Conduction disturbance"),
    _("Hypertrophy"),
    _("Answered"),
    _("Not sure"),
    _("Outside what the model has learned"),
    _("Not readable"),
    _("yes"),
    _("no"),
    _("yes or no"),
    _("Ventricular rate"),
    _("Rate, middle half of RR"),
    _("RR interval, mean"),
    _("RR variation, SDNN"),
    _("RR variation, RMSSD"),
    _("P wave"),
    _("PR interval"),
    _("QRS duration"),
    _("QT interval"),
    _("QTc, Bazett"),
    _("QTc, Fridericia"),
    _("QRS axis"),
    _("rate"),
    _("basic rate"),
    _("RR"),
    _("SDNN"),
    _("RMSSD"),
    _("P"),
    _("PR"),
    _("QRS"),
    _("QT"),
    _("QTc by Bazett"),
    _("QTc by Fridericia"),
    _("axis"),
    _("rate {:g}/min"),
    _("{:g} mm/s"),
    _("{:g} mm/mV"),
    _("{:g} s a column"),
    _("PR {:g} ms"),
    _("QRS {:g} ms"),
    _("QT {:g} ms"),
    _("QTc {:g} ms"),
    _("ST at the J point"),
    _("ST 60 ms later"),
    _("up to {high}"),
    _("from {low}"),
    _("{low} to {high}"),
    _("ST in {lead}"),
    _("filter up to {high:g} Hz"),
    _("filter {low:g} to {high:g} Hz"),
    _("nothing could be read"),
    _("Pacing spikes"),
    _("Sinus rhythm"),
    _("Bradycardia"),
    _("Tachycardia"),
    _("Irregular rhythm"),
    _("Atrial fibrillation suspected"),
    _("Extrasystoles, narrow"),
    _("Extrasystoles, broad"),
    _("Pause of 3 s or more"),
    _("PR interval prolonged"),
    _("PR interval short"),
    _("QRS prolonged"),
    _("Right bundle branch block, complete"),
    _("Left bundle branch block, complete"),
    _("Right bundle branch block, incomplete"),
    _("Left bundle branch block, incomplete"),
    _("Left anterior fascicular block"),
    _("Left posterior fascicular block"),
    _("Intraventricular conduction delay, nonspecific"),
    _("Left axis deviation"),
    _("Right axis deviation"),
    _("Extreme axis deviation"),
    _("QTc prolonged"),
    _("QTc short"),
    _("Low voltage in the limb leads"),
    _("Low voltage in the precordial leads"),
    _("Left ventricular hypertrophy, Sokolow-Lyon voltage"),
    _("Left ventricular hypertrophy, Cornell voltage"),
    _("Left ventricular hypertrophy, Cornell product"),
    _("Right ventricular hypertrophy"),
    _("Left atrial enlargement"),
    _("Right atrial enlargement"),
    _("ST elevation in contiguous leads"),
    _("ST depression in contiguous leads"),
    _("T wave inversion in contiguous leads"),
    _("Pathological Q waves"),
    _("Poor R wave progression"),
    _("at least {limit}"),
    _("above {limit}"),
    _("at most {limit}"),
    _("below {limit}"),
    _("met"),
    _("borderline"),
    _("below"),
    _("within"),
    _("above"),
    _("Class map"),
    _("Occlusion by lead"),
    _("Occlusion by patch"),
    _("LIME"),
    _("KernelSHAP"),
    _("Grad-CAM"),
    _("Grad-CAM++"),
    _("Integrated gradients"),
    _("deletion"),
    _("insertion"),
    _("location"),
    _("repeatability"),
    _("shuffled weights"),
    _("header white"),
    _("page top to bottom"),
    _("model's input top to bottom"),
    _("one lead blank"),
    _("honest"),
    _("as-published"),
    _("Sinus rhythm, normal"),
    _("Acute myocardial infarction, posterior and inferior"),
    _("Old anteroseptal infarction, right bundle branch block"),
    _("Atrial fibrillation"),
    _("Ventricular extrasystoles"),
    _("Sinus tachycardia, as a photo"),
    _("Gray"),
    _("Without grid and shadow"),
    _("Smoothed"),
    _("Black and white"),
    _("read"),
    _("write"),
)
"""Titles of labels, figures, methods, checks, changes of pages, protocols, examples, steps and scopes."""

CHECK_RESULTS = {
    "passed": pgettext_lazy("of a check", "passed"),
    "failed": pgettext_lazy("of a check", "failed"),
    "not checked": pgettext_lazy("of a check", "not checked"),
}
"""Results of a check, by the word for it in ``ecglens.explanations``; German has another word for a failed page."""

ALLAUTH: tuple[str, ...] = (
    _("Are you sure you want to sign out?"),
    _("Be patient, you are sending too many requests."),
    _("Do you really want to remove the selected email address?"),
    _("Forgotten your password? Enter your email address below, and we'll send you an email allowing you to reset it."),
    _("Please Confirm Your Email Address"),
    _("Please select only one."),
    _("Please type your current password."),
    _(
        "This part of the site requires us to verify that\nyou are who you claim to be. For this purpose, "
        "we require that you\nverify ownership of your email address. "
    ),
    _("Too many failed login attempts. Try again later."),
    _("Verify Your Email Address"),
    _(
        "We have sent an email to you for\nverification. Please click on the link inside that email. If "
        "you do not see the verification email in your main inbox, check your spam folder. "
        "Otherwise\ncontact us if you do not receive it within a few minutes."
    ),
    _(
        "We have sent an email to you for verification. Follow the link provided to finalize the signup "
        "process. If you do not see the verification email in your main inbox, check your spam folder. "
        "Please contact us if you do not receive the verification email within a few minutes."
    ),
    _(
        "We have sent you an email. If you have not received it please check your spam folder. Otherwise "
        "contact us if you do not receive it in a few minutes."
    ),
    _("You are about to deactivate authenticator app based authentication. Are you sure?"),
    _("You are about to generate a new set of recovery codes for your account."),
    _("You cannot add more than %d email addresses."),
    _("You cannot remove your primary email address."),
    _(
        "You currently do not have any email address set up. You should really add an email address so "
        "you can receive notifications, reset your password, etc."
    ),
    _("You have signed out."),
    _("You must type the same email each time."),
    _("You must type the same password each time."),
    _(
        "You're receiving this email because you or someone else has requested a password reset for your "
        "user account.\nIt can be safely ignored if you did not request a password reset. Click the link "
        "below to reset your password."
    ),
    _("Your email address is still pending verification."),
    _("Your password has been changed."),
    _("Your password is now changed."),
    _("Your primary email address must be verified."),
    _('<strong>Note:</strong> you can still <a href="%(email_url)s">change your email address</a>.'),
    _("Already have an account? Then please %(link)ssign in%(end_link)s."),
    _("If you have not created an account yet, then please %(link)ssign up%(end_link)s first."),
    _("Thank you for using %(site_name)s!\n%(site_domain)s"),
    _(
        "The password reset link was invalid, possibly because it has already been used.  Please request "
        'a <a href="%(passwd_reset_url)s">new password reset</a>.'
    ),
    _(
        'This email confirmation link expired or is invalid. Please <a href="%(email_url)s">issue a new '
        "email confirmation request</a>."
    ),
    _("You are about to connect a new third-party account from %(provider)s."),
    _("You are about to sign in using a third-party account from %(provider)s."),
    _(
        "You are about to use your %(provider_name)s account to login to\n%(site_name)s. As a final step, "
        "please complete the following form:"
    ),
    _("You are already logged in as %(user_display)s."),
    _(
        "You are receiving this email because you or someone else tried to signup for an\naccount using "
        "email address:\n\n%(email)s\n\nHowever, an account using that email address already exists.  In "
        "case you have\nforgotten about this, please use the password forgotten procedure to recover\nyour "
        "account:\n\n%(password_reset_url)s"
    ),
    _("You cannot remove your primary email address (%(email)s)."),
    _(
        "You decided to cancel logging in to our site using one of your existing accounts. If this was a "
        'mistake, please proceed to <a href="%(login_url)s">sign in</a>.'
    ),
    _("You have confirmed %(email)s."),
    _("Remove"),
    _("Sign In"),
    _("Signup"),
    _("Sign Up"),
    _("Sign Out"),
    _("Master key"),
    _("Backup key"),
    _("The new value must be different from the current one."),
    _("Added on %(created_at)s"),
    _("Authenticator secret"),
    _("Usage"),
)


def translate_check_result(passed: bool | None) -> str:
    """Return the result of a check in the reader's language."""
    return str(CHECK_RESULTS[WORDS[passed]])
