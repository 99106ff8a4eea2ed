! SPDX-License-Identifier: BSD-3-Clause
! An array of another size is told with its name and sizes, not with the message of an earlier error.
program refused
  use dan
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  implicit none
  type(dan_method) :: filter
  real(c_double) :: short(39)
  integer :: status
  short = 0
  call filter%open('lorenz96', 'no such method', status=status)
  if (status /= 1) error stop 'a wrong name was taken'
  call filter%open('lorenz96', 'etkf')
  call filter%start(short, 1d0, 1_c_int64_t, status)
  if (status /= 1) error stop 'a short array was taken'
  if (dan_message() /= 'guess has 39 numbers, expected 40') error stop 'the message is another one'
  call filter%close()
end program refused
