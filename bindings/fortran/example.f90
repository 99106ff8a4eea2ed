! SPDX-License-Identifier: BSD-3-Clause
! The example in C once more, with the same numbers: a truth of Lorenz 96, its observations, an EnKF-N
! whose model is a procedure in Fortran, and a network whose forecast this program makes itself; then the
! network on eight truths side by side.
!
!   example WEIGHTS [ERRORS.csv]
module lorenz96
  use, intrinsic :: iso_c_binding
  implicit none
  integer, parameter :: n = 40
contains
  pure function tendency(x) result(f)
    real(c_double), intent(in) :: x(n)
    real(c_double) :: f(n)
    integer :: i
    do i = 1, n
      f(i) = (x(mod(i, n) + 1) - x(mod(i + n - 3, n) + 1))*x(mod(i + n - 2, n) + 1) - x(i) + 8
    end do
  end function tendency

  !> One step of 0.05 by Runge–Kutta 4.
  subroutine step(x, y, user) bind(c)
    real(c_double), intent(in) :: x(*)
    real(c_double), intent(out) :: y(*)
    type(c_ptr), value :: user
    real(c_double), parameter :: h = 0.05d0, part(4) = [0d0, 0.5d0, 0.5d0, 1d0]
    real(c_double), parameter :: weight(4) = [1d0, 2d0, 2d0, 1d0]
    real(c_double) :: k(n), total(n)
    integer :: s
    if (c_associated(user)) continue
    k = 0
    total = 0
    do s = 1, 4
      k = tendency(x(1:n) + h*part(s)*k)
      total = total + weight(s)*k
    end do
    y(1:n) = x(1:n) + h/6*total
  end subroutine step
end module lorenz96

program example
  use, intrinsic :: iso_c_binding
  use dan
  use lorenz96
  implicit none
  integer, parameter :: cycles = 600, burn_in = 100, runs = 8
  type(dan_method) :: filter, network
  integer(c_int64_t) :: state = 7
  real(c_double) :: truth(n), guess(n), values(n), x(n), y(n), error(2), total(2)
  integer :: i, k, file
  character(4096) :: weights, errors
  if (command_argument_count() < 1) error stop 'usage: example WEIGHTS [ERRORS.csv]'
  call get_command_argument(1, weights)
  errors = ''
  if (command_argument_count() > 1) call get_command_argument(2, errors)

  call filter%open('callers_model', 'enkf-n:members=20', step)
  call network%open('lorenz96', 'small:weights='//trim(weights))
  do i = 1, n
    truth(i) = 8 + normal()
  end do
  do k = 1, 400
    call step(truth, y, c_null_ptr)
    truth = y
  end do
  do i = 1, n
    guess(i) = truth(i) + normal()
  end do
  call filter%start(guess, 1d0, 1_c_int64_t)
  call network%start(guess, 1d0, 1_c_int64_t)

  if (errors /= '') then
    open (newunit=file, file=errors, action='write', status='replace')
    write (file, '(a)') 'cycle,enkf_n,network'
  end if
  total = 0
  do k = 1, cycles
    call step(truth, y, c_null_ptr)
    truth = y
    do i = 1, n
      values(i) = truth(i) + normal()
    end do
    call filter%forecast()
    call network%state(1, x)  ! the forecast made here, by the model of this program
    call step(x, y, c_null_ptr)
    call network%set_state(1, y)
    call filter%analyse(values)
    call network%analyse(values)
    error = [error_of(filter), error_of(network)]
    if (errors /= '') write (file, '(i0,2(",",es24.17))') k, error
    if (k > burn_in) total = total + error/(cycles - burn_in)
  end do
  print '(a,es24.17)', 'EnKF-N, 20 members: ', total(1)
  print '(a,es24.17)', 'network, one state: ', total(2)
  print '(a,es24.17)', 'network, 8 runs: ', side_by_side('small:weights='//trim(weights))
  if (errors /= '') close (file)
  call filter%close()
  call network%close()

contains

  real(c_double) function error_of(method)
    type(dan_method), intent(in) :: method
    real(c_double) :: estimate(n), squares
    integer :: j
    call method%estimate(estimate)
    squares = 0
    do j = 1, n
      squares = squares + (estimate(j) - truth(j))*(estimate(j) - truth(j))
    end do
    error_of = sqrt(squares/n)
  end function error_of

  !> Truths of their own, each with its observations, and one method on all of them together.
  real(c_double) function side_by_side(name) result(mean)
    character(*), intent(in) :: name
    type(dan_method) :: method
    real(c_double) :: truths(n, runs), seen(n, runs), found(n, runs), squares
    integer :: r, j, c
    call method%open('lorenz96', name, runs=runs)
    state = 11
    mean = 0
    do r = 1, runs
      do j = 1, n
        truths(j, r) = 8 + normal()
      end do
      do c = 1, 400
        call step(truths(:, r), y, c_null_ptr)
        truths(:, r) = y
      end do
      do j = 1, n
        found(j, r) = truths(j, r) + normal()
      end do
    end do
    call method%start(found, 1d0, 1_c_int64_t)
    do c = 1, cycles
      do r = 1, runs
        call step(truths(:, r), y, c_null_ptr)
        truths(:, r) = y
        do j = 1, n
          seen(j, r) = truths(j, r) + normal()
        end do
      end do
      call method%forecast()
      call method%analyse(seen)
      call method%estimate(found)
      do r = 1, merge(runs, 0, c > burn_in)
        squares = 0
        do j = 1, n
          squares = squares + (found(j, r) - truths(j, r))*(found(j, r) - truths(j, r))
        end do
        mean = mean + sqrt(squares/n)/(runs*(cycles - burn_in))
      end do
    end do
    call method%close()
  end function side_by_side

  !> Uniform in (0, 1), then normal: enough for an example, and the same everywhere (integers wrap).
  real(c_double) function uniform()
    state = state*6364136223846793005_c_int64_t + 1442695040888963407_c_int64_t
    uniform = (real(shiftr(state, 11), c_double) + 0.5d0)/9007199254740992d0
  end function uniform
  real(c_double) function normal()
    real(c_double) :: r
    r = sqrt(-2*log(uniform()))
    normal = r*cos(6.283185307179586d0*uniform())
  end function normal

end program example
