# Mails. Lines stay below 80 characters.
mail-hello = Hello,
mail-hours = { $n ->
    [one] one hour
   *[other] { $n } hours
}
mail-minutes = { $n ->
    [one] one minute
   *[other] { $n } minutes
}

# To somebody who has just registered.
mail-verify-subject = Please confirm your address
mail-verify =
    welcome to our shop! Please confirm that this address is yours:

    { $link }

    The link works once, within { $span }.
    If you did not register with us, please ignore this mail.

# To somebody who registers again with an address that is not confirmed yet.
mail-verify-again-subject = Please confirm your address
mail-verify-again =
    somebody, probably you, registered once more with this address, which is
    not confirmed yet. Please confirm that it is yours:

    { $link }

    The link works once, within { $span }; older links do not.
    The password is still the one of the first registration. If you do not
    know it, or somebody else chose it, please set a new one at

    { $forgot }

    If you did not register with us, please ignore this mail.

# To somebody who has an account already.
mail-already-registered-subject = You have an account already
mail-already-registered =
    somebody, probably you, tried to register with this address.
    You have an account with us already. Please log in at

    { $login }

    or, if you do not know the password, set a new one at

    { $forgot }

    If it was not you, there is nothing to do: your account is unchanged.

# To somebody who forgot the password.
mail-reset-subject = Set a new password
mail-reset =
    you asked to set a new password. Here you can:

    { $link }

    The link works once, within { $span }.
    If you did not ask for it, please ignore this mail: your password stays.

# After the password was changed or reset.
mail-password-changed-subject = Your password was changed
mail-password-changed =
    the password of your account was changed, and your other devices were
    logged out. If it was not you, please set a new one at once at

    { $forgot }

# To the new address of somebody who changes it.
mail-change-email-subject = Please confirm your new address
mail-change-email =
    you asked to use this address for your account. Please confirm it:

    { $link }

    The link works once, within { $span }.
    If you did not ask for it, please ignore this mail.

# To an address that somebody else wanted for an account.
mail-address-taken-subject = You have an account already
mail-address-taken =
    somebody, probably you, tried to use this address for another account.
    It belongs to the account that you have already. Please log in at

    { $login }

    If it was not you, there is nothing to do: your account is unchanged.

# To the old address of somebody who changes it.
mail-email-change-asked-subject = Your address is about to change
mail-email-change-asked =
    somebody, probably you, asked to use another address for your account.
    It counts once it is confirmed from there.
    If it was not you, please set a new password at once at

    { $forgot }
