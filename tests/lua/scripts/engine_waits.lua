-- A module whose body waits.
os.execute('exit 0')
return { value = 'waited' }
